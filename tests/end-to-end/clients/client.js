// client.js PLAN: sends a plan's requests by Node.js's https module, on kept connections.
'use strict';
const https = require('https');
const fs = require('fs');

const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: fs.readFileSync(process.env.DEMO_CA) });
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
  'X-Api-Key': process.env.ANTHROPIC_API_KEY,
};

function send(step) {
  return new Promise((resolve) => {
    const request = https.request(process.env.DEMO_URL + step.path, { method: 'POST', headers, agent });
    request.on('error', () => resolve(false));
    request.on('response', (response) => {
      response.on('error', () => resolve(false));
      response.on('end', () => resolve(response.complete));
      response.on('close', () => resolve(response.complete));
      response.resume();
    });
    request.end(JSON.stringify(step.body).replace('PID', process.pid));
  });
}

async function main() {
  const plan = JSON.parse(fs.readFileSync(process.argv[2]));
  let whole = 0;
  for (const step of plan) whole += await send(step);
  console.log(`${whole} of ${plan.length} whole`);
  agent.destroy();
}

main();
