// sdk.mjs PLAN: sends a plan's requests by the providers' official packages, Ollama's by fetch. NODE_PATH does not serve modules
// of this kind: the folder that holds node_modules comes as SDK_FOLDER.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';

const require = createRequire(process.env.SDK_FOLDER + '/');
const { OpenAI } = require('openai');
const { Anthropic } = require('@anthropic-ai/sdk');

const openai = new OpenAI({ baseURL: process.env.DEMO_URL + '/v1', maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: process.env.DEMO_URL, maxRetries: 0 });

// What each path is sent by; each throws where the provider says no.
const senders = {
  '/v1/chat/completions': (body) => openai.chat.completions.create(body),
  '/v1/responses': (body) => openai.responses.create(body),
  '/v1/embeddings': (body) => openai.embeddings.create(body),
  '/v1/messages': (body) => anthropic.messages.create(body),
  '/v1/messages/count_tokens': (body) => anthropic.messages.countTokens(body),
};

async function byFetch(path, body) {
  const answer = await fetch(process.env.DEMO_URL + path, { method: 'POST', body: JSON.stringify(body) });
  await answer.arrayBuffer();
}

const plan = JSON.parse(fs.readFileSync(process.argv[2]));
let whole = 0;
for (const step of plan) {
  const body = JSON.parse(JSON.stringify(step.body).replaceAll('PID', process.pid));
  const send = senders[step.path] ?? ((fields) => byFetch(step.path, fields));
  try {
    const answer = await send(body);
    if (body.stream && answer) for await (const _ of answer);
    whole += 1;
  } catch (error) {
    if (error.status) whole += 1; // An error of the provider is a whole answer.
  }
}
console.log(`${whole} of ${plan.length} whole`);
