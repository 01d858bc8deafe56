// http2-client.js PLAN: sends all of a plan's requests at once, as streams of one HTTP/2 connection.
'use strict';
const fs = require('fs');
const http2 = require('http2');

const session = http2.connect(process.env.DEMO_URL, { ca: fs.readFileSync(process.env.DEMO_CA) });
const headers = {
  ':method': 'POST',
  'content-type': 'application/json',
  authorization: `Bearer ${process.env.OPENAI_API_KEY}`,
  'x-api-key': process.env.ANTHROPIC_API_KEY,
};

function send(step) {
  return new Promise((resolve) => {
    const stream = session.request({ ...headers, ':path': step.path });
    stream.on('error', () => resolve(false));
    stream.on('close', () => resolve(stream.rstCode === 0));
    stream.resume();
    stream.end(JSON.stringify(step.body).replace(/PID/g, process.pid));
  });
}

Promise.all(JSON.parse(fs.readFileSync(process.argv[2])).map(send)).then((whole) => {
  console.log(`${whole.filter(Boolean).length} of ${whole.length} whole`);
  session.close();
});
