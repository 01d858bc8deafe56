// sdk.mjs PLAN: sends a plan's requests by the providers' official packages. NODE_PATH does not serve modules
// of this kind: the folder that holds node_modules comes as SDK_FOLDER.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.SDK_FOLDER + '/');
const { OpenAI } = require('openai');
const { Anthropic } = require('@anthropic-ai/sdk');

const openai = new OpenAI({ baseURL: process.env.DEMO_URL + '/v1', maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: process.env.DEMO_URL, maxRetries: 0 });

const plan = JSON.parse(fs.readFileSync(process.argv[2]));
let whole = 0;
for (const step of plan) {
  const body = JSON.parse(JSON.stringify(step.body).replaceAll('PID', process.pid));
  const send = step.path.includes('messages') ? anthropic.messages : openai.chat.completions;
  try {
    const answer = await send.create(body);
    if (body.stream) for await (const _ of answer);
    whole += 1;
  } catch (error) {
    if (error.status) whole += 1; // An error of the provider is a whole answer.
  }
}
console.log(`${whole} of ${plan.length} whole`);
