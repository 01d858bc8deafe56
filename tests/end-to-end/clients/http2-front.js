// http2-front.js PROVIDER_URL FOLDER: HTTP/2 before the provider, which speaks HTTP/1.1 and logs. Bodies pass as
// they are, so what the provider logs is what an HTTP/2 client sent and got. Prints its port.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const https = require('https');

const [provider, folder] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, ca: fs.readFileSync(`${folder}/ca.pem`) });
const ofConnection = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host'];

function without(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':') && !ofConnection.includes(name)));
}

const server = http2.createSecureServer({
  key: fs.readFileSync(`${folder}/server.key`),
  cert: fs.readFileSync(`${folder}/server.pem`),
});
server.on('request', (request, response) => {
  const onward = https.request(provider + request.url, { method: request.method, headers: without(request.headers), agent });
  const giveUp = () => response.stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  onward.on('error', giveUp);
  onward.on('response', (answer) => {
    response.writeHead(answer.statusCode, without(answer.headers));
    answer.on('error', giveUp);
    answer.on('aborted', giveUp);
    answer.pipe(response);
  });
  request.pipe(onward);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
