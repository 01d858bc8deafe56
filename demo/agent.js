// A streaming chat with a self-hosted model, by Node.js's own https module alone.
'use strict';
const https = require('https');
const fs = require('fs');

const agent = new https.Agent({ keepAlive: true, ca: fs.readFileSync(process.env.DEMO_CA) });
const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.OPENAI_API_KEY}` };

// Calls `show` with each delta of the answer; the promise has the whole text.
function ask(messages, show) {
  return new Promise((resolve, reject) => {
    const request = https.request(`${process.env.DEMO_URL}/v1/chat/completions`, { method: 'POST', headers, agent });
    request.on('error', reject);
    request.on('response', (response) => {
      let pending = '';
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data) => {
        const lines = (pending + data).split('\n');
        pending = lines.pop();
        for (const line of lines) {
          if (!line.startsWith('data: {')) continue;
          const [choice] = JSON.parse(line.slice(6)).choices;
          if (choice?.delta.content) {
            text += choice.delta.content;
            show(choice.delta.content);
          }
        }
      });
      response.on('end', () => resolve(text));
    });
    request.end(JSON.stringify({ model: 'llama3.2', stream: true, temperature: 0.2, messages }));
  });
}

async function main() {
  const show = (piece) => process.stdout.write(piece);
  console.log('Node.js talks to a self-hosted model, two questions on one connection:');
  const messages = [{ role: 'system', content: 'You are brief.' }, { role: 'user', content: 'What is a uprobe?' }];
  messages.push({ role: 'assistant', content: await ask(messages, show) });
  messages.push({ role: 'user', content: 'My key AKIA' + 'QX5T7LMZ2WDEMO42 stopped working. Why?' });
  console.log();
  await ask(messages, show);
  console.log();
  agent.destroy();
}

main();
