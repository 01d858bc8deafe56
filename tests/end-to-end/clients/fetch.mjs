// fetch.mjs PLAN: sends a plan's requests with the runtime's own fetch (Bun, Deno, Node.js), one after the other on
// kept connections, and says how many answers came whole. What /echo answers is compared byte for byte. With UNTIL=FILE
// it sends the plan over and over until that file is there, with PAUSE seconds between two requests; with AT_ONCE=1 all
// of the plan at the same time.
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

const { DEMO_URL, DEMO_CA, OPENAI_API_KEY, ANTHROPIC_API_KEY, UNTIL, PAUSE, AT_ONCE } = process.env;
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${OPENAI_API_KEY}`,
  'X-Api-Key': ANTHROPIC_API_KEY,
};
// Bun's way to name the authority, which its first versions did not know; the others take it from
// NODE_EXTRA_CA_CERTS and DENO_CERT.
const tls = process.env.UNVERIFIED ? { rejectUnauthorized: false } : { ca: readFileSync(DEMO_CA, 'utf8') };

async function send(step, round) {
  const body = JSON.stringify(step.body).replace(/PID/g, round ? `${process.pid} in round ${round}` : process.pid);
  try {
    const response = await fetch(DEMO_URL + step.path, { method: 'POST', headers, body, tls });
    const answer = await response.text();
    return step.path !== '/echo' || answer === body;
  } catch {
    return false;
  }
}

let whole = 0;
let sent = 0;
const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const isOver = () => UNTIL && existsSync(UNTIL);
for (let round = 0; round === 0 || (UNTIL && !isOver()); ++round) {
  if (AT_ONCE) {
    whole += (await Promise.all(plan.map((step) => send(step, round)))).filter(Boolean).length;
    sent += plan.length;
    continue;
  }
  for (const step of plan) {
    if (isOver()) break;
    whole += (await send(step, round)) ? 1 : 0;
    ++sent;
    if (PAUSE) await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSE));
  }
}
console.log(`${whole} of ${sent} whole`);
