// An Express application that is run by the manager and knows nothing of it.
"use strict";

const express = require("express");

const app = express();

app.get("/", (request, response) => {
  response.type("text/plain").send(`hello from Node.js, process ${process.pid}\n`);
});

app.get("/health", (request, response) => {
  response.json({ status: "ok", pid: process.pid, uptime_seconds: process.uptime() });
});

const server = app.listen(Number(process.env.PORT ?? 18082), "127.0.0.1", (error) => {
  if (error) throw error;
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

// Requests that are being answered are answered before the end.
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
