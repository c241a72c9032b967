// Node before 22.21 and 24 ignores NODE_USE_ENV_PROXY: there this makes fetch, WebSocket and https go through HTTPS_PROXY.
// Loaded by NODE_OPTIONS=--require; it needs nothing but Node, and does nothing where Node knows the variable itself.
"use strict";

const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const tls = require("node:tls");

const [major, minor] = process.versions.node.split(".").map(Number);
const native = major >= 24 || (major === 22 && minor >= 21);
const proxy = process.env.HTTPS_PROXY || process.env.https_proxy;
const exempt = (process.env.NO_PROXY || process.env.no_proxy || "").toLowerCase().split(/[\s,]+/).filter(Boolean);

function isExempt(host) {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return exempt.some((entry) => {
    const domain = entry.replace(/^\*?\./, "").replace(/:\d+$/, (port) => (entry.split(":").length > 2 ? port : ""));
    return domain === "*" || name === domain || name.endsWith("." + domain);
  });
}

// Calls back with a socket on which the target's own TLS (or plain text) has begun.
function open({ host, port, secure, servername, options }, done) {
  const settings = { ...options, servername: servername || (net.isIP(host) ? undefined : host) };
  if (isExempt(host)) {
    const direct = secure ? tls.connect({ ...settings, host, port }) : net.connect({ host, port });
    return whenReady(direct, secure ? "secureConnect" : "connect", done);
  }
  const target = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`;
  const { hostname, port: proxyPort } = new URL(proxy);
  const request = http.request({
    host: hostname, port: proxyPort || 80, method: "CONNECT", path: target, headers: { host: target }, agent: false,
  });
  request.once("error", done);
  request.once("connect", (response, socket) => {
    if (response.statusCode !== 200) {
      socket.destroy();
      return done(new Error(`the proxy answered ${response.statusCode} to CONNECT ${target}`));
    }
    if (!secure) return done(null, socket);
    whenReady(tls.connect({ ...settings, socket }), "secureConnect", done);
  });
  request.end();
}

function whenReady(socket, event, done) {
  const fail = (error) => done(error);
  socket.once("error", fail);
  socket.once(event, () => { socket.off("error", fail); done(null, socket); });
}

class TunnelAgent extends https.Agent {
  createConnection(options, done) {
    open({ host: options.host, port: options.port, secure: true, servername: options.servername, options: {
      ca: options.ca, cert: options.cert, key: options.key, rejectUnauthorized: options.rejectUnauthorized,
    } }, done);
  }
}

function install() {
  https.globalAgent = new TunnelAgent({ keepAlive: true });
  void globalThis.Headers; // whoever asks for it gets undici loaded, and with it the dispatcher of fetch
  const key = Symbol.for("undici.globalDispatcher.1");
  const Dispatcher = globalThis[key]?.constructor;
  if (!Dispatcher) return;
  globalThis[key] = new Dispatcher({
    connect({ hostname, port, protocol, servername }, done) {
      const secure = protocol === "https:";
      const options = { ALPNProtocols: ["http/1.1"] };
      open({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (secure ? 443 : 80), secure, servername, options }, done);
    },
  });
}

if (proxy && !native) install();
