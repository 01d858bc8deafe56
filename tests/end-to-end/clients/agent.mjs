// agent.mjs FILE…: what coding agents do, under Node.js, Bun and Deno. Each conversation of a file has a dialect, a name,
// a folder of its own, a system prompt and the user's prompts; all go on at the same time. One turn is a streamed request,
// the tools that the model asks for, run side by side, and their results; a prompt ends with an answer that asks for
// none. Writes a line of JSON per turn to FILE.turns: what an observer has to have seen. Of several files, each has a
// process of its own.
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';

const { DEMO_URL, DEMO_CA, OPENAI_API_KEY, ANTHROPIC_API_KEY } = process.env;
const tls = { ca: readFileSync(DEMO_CA, 'utf8') };  // Bun's way to name the authority

// The tools. Each returns [result, pid of the process that it started].
const tools = {
  async run_command({ command }, folder) {
    const child = spawn('sh', ['-c', command], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const pipe of [child.stdout, child.stderr]) pipe.setEncoding('utf8').on('data', (text) => { said += text; });
    const status = await new Promise((resolve) => child.on('close', resolve));
    return [status === 0 ? said : `${said}exit status ${status}`, child.pid];
  },
  async write_file({ path, content }, folder) {
    await writeFile(`${folder}/${path}`, content);
    return [`${content.length} characters written`];
  },
  async read_file({ path }, folder) {
    return [await readFile(`${folder}/${path}`, 'utf8')];
  },
};

function schema(...names) {
  return { type: 'object', properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])), required: names };
}

const offered = [
  { name: 'run_command', description: 'Run a shell command', parameters: schema('command') },
  { name: 'write_file', description: 'Write a file', parameters: schema('path', 'content') },
  { name: 'read_file', description: 'Read a file', parameters: schema('path') },
];

// A dialect: the request of a conversation so far, a question, the results of calls, and the reader of an answer, which
// gives what the model said (to be sent back with the next turn) and its calls.

const anthropic = {
  path: '/v1/messages',
  headers: { 'X-Api-Key': ANTHROPIC_API_KEY, 'Anthropic-Version': '2023-06-01' },
  request: (system, messages) => ({
    model: 'claude-sonnet-4-5', max_tokens: 4096, stream: true, system: [{ type: 'text', text: system }], messages,
    tools: offered.map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters })),
  }),
  results: (results) => [{
    role: 'user',
    content: results.map(({ id, result }) => ({ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text: result }] })),
  }],
  async read(events) {
    const blocks = [];
    const texts = [];
    for await (const event of events) {
      if (event.type === 'content_block_start') {
        blocks.push(event.content_block);
        texts.push('');
      } else if (event.type === 'content_block_delta') {
        texts[event.index] += event.delta.text ?? event.delta.partial_json;
      }
    }
    const content = blocks.map((block, place) => block.type === 'text'
      ? { type: 'text', text: texts[place] } : { ...block, input: JSON.parse(texts[place]) });
    const calls = content.filter((block) => block.type === 'tool_use');
    return {
      said: [{ role: 'assistant', content }],
      calls: calls.map(({ id, name, input }) => ({ id, name, arguments: input })),
    };
  },
};

const chat = {
  path: '/v1/chat/completions',
  headers: { Authorization: `Bearer ${OPENAI_API_KEY}` },
  request: (system, messages) => ({
    model: 'gpt-4o-mini', stream: true, stream_options: { include_usage: true }, parallel_tool_calls: true,
    messages: [{ role: 'system', content: system }, ...messages],
    tools: offered.map((tool) => ({ type: 'function', function: tool })),
  }),
  results: (results) => results.map(({ id, result }) => ({ role: 'tool', tool_call_id: id, content: result })),
  async read(events) {
    const calls = [];
    let text = '';
    for await (const event of events) {
      const delta = event.choices[0]?.delta ?? {};
      text += delta.content ?? '';
      for (const { index, id, function: part } of delta.tool_calls ?? []) {
        calls[index] ??= { id, type: 'function', function: { name: part.name, arguments: '' } };
        calls[index].function.arguments += part.arguments;
      }
    }
    const message = { role: 'assistant', content: text || null };
    return {
      said: [calls.length ? { ...message, tool_calls: calls } : message],
      calls: calls.map((call) => ({ id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) })),
    };
  },
};

const responses = {
  path: '/v1/responses',
  headers: chat.headers,
  request: (system, input) => ({
    model: 'gpt-5.2', stream: true, store: false, instructions: system, input,
    tools: offered.map((tool) => ({ type: 'function', strict: false, ...tool })),
  }),
  results: (results) => results.map(({ id, result }) => ({ type: 'function_call_output', call_id: id, output: result })),
  async read(events) {
    let output = [];
    for await (const event of events) if (event.type === 'response.completed') output = event.response.output;
    const calls = output.filter((item) => item.type === 'function_call');
    return {
      said: output,
      calls: calls.map((call) => ({ id: call.call_id, name: call.name, arguments: JSON.parse(call.arguments) })),
    };
  },
};

const dialects = { anthropic, chat, responses };

// The events of a stream, whatever pieces it comes in.
async function* eventsOf(response) {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const piece of response.body) {
    pending += decoder.decode(piece, { stream: true });
    const lines = pending.split('\n');
    pending = lines.pop();
    for (const line of lines) if (line.startsWith('data: {')) yield JSON.parse(line.slice(6));
  }
}

async function turn(dialect, system, messages) {
  const response = await fetch(DEMO_URL + dialect.path, {
    method: 'POST', tls, headers: { 'Content-Type': 'application/json', ...dialect.headers },
    body: JSON.stringify(dialect.request(system, messages)),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return dialect.read(eventsOf(response));
}

async function converse({ dialect: word, name, folder, system, prompts }, file) {
  const dialect = dialects[word];
  const messages = [];
  for (const prompt of prompts) {
    messages.push({ role: 'user', content: prompt.replaceAll(/\bPID\b/g, process.pid) });
    for (let calls; calls === undefined || calls.length;) {
      let said;
      ({ said, calls } = await turn(dialect, system, messages));
      messages.push(...said);
      const results = await Promise.all(calls.map(async (call) => {
        const [result, child] = await tools[call.name](call.arguments, folder);
        return { ...call, result, child };
      }));
      appendFileSync(`${file}.turns`, JSON.stringify({ conversation: name, pid: process.pid, calls: results }) + '\n');
      if (calls.length) messages.push(...dialect.results(results));
    }
  }
}

// Another process like this one.
async function agent(file) {
  const options = globalThis.Deno ? ['run', '--allow-all'] : [];
  const child = spawn(process.execPath, [...options, process.argv[1], file], { stdio: 'inherit' });
  if (await new Promise((resolve) => child.on('close', resolve)) !== 0) process.exitCode = 1;
}

const files = process.argv.slice(2);
const conversations = (file) => JSON.parse(readFileSync(file, 'utf8')).map((one) => converse(one, file));
await Promise.all(files.length > 1 ? files.map(agent) : conversations(files[0]));
