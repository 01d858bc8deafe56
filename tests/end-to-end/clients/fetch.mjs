// fetch.mjs PLAN: sends a plan's requests with the runtime's own fetch (Bun, Deno, Node.js), one after the other on
// kept connections, and says how many answers came whole. What /echo answers is compared byte for byte.
import { readFileSync } from 'node:fs';

const { DEMO_URL, DEMO_CA, OPENAI_API_KEY, ANTHROPIC_API_KEY } = process.env;
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${OPENAI_API_KEY}`,
  'X-Api-Key': ANTHROPIC_API_KEY,
};
// Bun's way to name the authority, which its first versions did not know; the others take it from
// NODE_EXTRA_CA_CERTS and DENO_CERT.
const tls = process.env.UNVERIFIED ? { rejectUnauthorized: false } : { ca: readFileSync(DEMO_CA, 'utf8') };

async function send(step) {
  const body = JSON.stringify(step.body).replace(/PID/g, process.pid);
  try {
    const response = await fetch(DEMO_URL + step.path, { method: 'POST', headers, body, tls });
    const answer = await response.text();
    return step.path !== '/echo' || answer === body;
  } catch {
    return false;
  }
}

let whole = 0;
const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const step of plan) whole += (await send(step)) ? 1 : 0;
console.log(`${whole} of ${plan.length} whole`);
