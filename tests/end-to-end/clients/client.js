// client.js PLAN: sends a plan's requests by Node.js's http or https module, on kept connections. What /echo answers is
// compared byte for byte. With UNTIL=FILE it sends the plan over and over until that file is there, with PAUSE
// seconds between two requests.
'use strict';
const http = require('http');
const https = require('https');
const fs = require('fs');

const library = process.env.DEMO_URL.startsWith('http:') ? http : https;
const agent = new library.Agent({ keepAlive: true, maxSockets: 1, ca: fs.readFileSync(process.env.DEMO_CA) });
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
  'X-Api-Key': process.env.ANTHROPIC_API_KEY,
};

function send(step, round) {
  const body = JSON.stringify(step.body).replace(/PID/g, round ? `${process.pid} in round ${round}` : process.pid);
  return new Promise((resolve) => {
    const request = library.request(process.env.DEMO_URL + step.path, { method: 'POST', headers, agent });
    request.on('error', () => resolve(false));
    request.on('response', (response) => {
      response.on('error', () => resolve(false));
      const parts = [];
      const judge = () => resolve(response.complete && (step.path !== '/echo' || Buffer.concat(parts).equals(Buffer.from(body))));
      response.on('data', (part) => parts.push(part));
      response.on('end', judge);
      response.on('close', judge);
    });
    request.end(body);
  });
}

function* rounds(plan) {
  for (let round = 0; round === 0 || process.env.UNTIL; ++round) {
    for (const step of plan) {
      if (process.env.UNTIL && fs.existsSync(process.env.UNTIL)) return;
      yield [step, round];
    }
  }
}

async function main() {
  const plan = JSON.parse(fs.readFileSync(process.argv[2]));
  let whole = 0;
  let sent = 0;
  for (const [step, round] of rounds(plan)) {
    whole += await send(step, round);
    ++sent;
    if (process.env.PAUSE) await new Promise((resolve) => setTimeout(resolve, 1000 * process.env.PAUSE));
  }
  console.log(`${whole} of ${sent} whole`);
  agent.destroy();
}

main();
