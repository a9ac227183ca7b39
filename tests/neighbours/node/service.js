// Passes each request on to the service in NEXT, and its answer back.
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");

const sdk = new NodeSDK({ instrumentations: [new HttpInstrumentation()] });
sdk.start();

const http = require("http");

const server = http.createServer((request, response) => {
  http.get(process.env.NEXT + request.url, (answer) => {
    response.writeHead(answer.statusCode);
    answer.pipe(response);
  });
});

server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => sdk.shutdown().finally(() => process.exit(0)));
