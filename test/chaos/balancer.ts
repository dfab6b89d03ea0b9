import { connect, createServer } from "node:net";

/**
 * A load balancer, as a program: `node balancer.ts PORT=HOST:PORT,HOST:PORT …`. Each connection goes to the next
 * backend that accepts it; it knows nothing of sessions.
 */
for (const rule of process.argv.slice(2)) {
  const [port, list = ""] = rule.split("=");
  const backends = list.split(",").map((backend) => {
    const [host = "", backendPort] = backend.split(":");
    return { host, port: Number(backendPort) };
  });
  let turn = 0;
  createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
    client.on("error", () => client.destroy());
    const attempt = (left: number): void => {
      const backend = backends[turn++ % backends.length];
      if (!backend || left === 0) return void client.destroy();
      const upstream = connect({ ...backend, allowHalfOpen: true });
      const patience = setTimeout(() => upstream.destroy(new Error("no answer")), 1000);
      upstream.once("error", () => {
        clearTimeout(patience);
        attempt(left - 1);
      });
      upstream.once("connect", () => {
        clearTimeout(patience);
        upstream.removeAllListeners("error");
        upstream.on("error", () => client.destroy());
        upstream.on("close", () => client.destroy());
        client.on("close", () => upstream.destroy());
        client.pipe(upstream);
        upstream.pipe(client);
      });
    };
    attempt(backends.length);
  }).listen(Number(port), "0.0.0.0");
}
