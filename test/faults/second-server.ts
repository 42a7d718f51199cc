/** A second API server on the same etcd, whose link to it can be paused: it then answers from a past that goes on without it. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { askApi } from "../controlplane/api.ts";
import type { ControlPlane } from "../controlplane/boot.ts";
import { apiServerFlags } from "../controlplane/flags.ts";
import { freePort } from "../controlplane/ports.ts";
import { eventually } from "../e2e/eventually.ts";

export interface SecondServer {
  readonly server: string;
  /** No byte passes in either direction, and no connection ends. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const component = "kube-apiserver-2";

export async function startSecondServer(controlPlane: ControlPlane): Promise<SecondServer> {
  /** From and to. */
  const pipes = new Map<Socket, Socket>();
  let paused = false;
  const etcdPort = Number(new URL(controlPlane.etcd).port);
  const link = createServer((near) => {
    const far = connect(etcdPort, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pipes.set(from, to);
      from.on("error", () => to.destroy());
      from.once("close", () => {
        pipes.delete(from);
        to.destroy();
      });
      if (!paused) from.pipe(to);
    }
  });
  const linkPort = await freePort();
  link.listen(linkPort, "127.0.0.1");
  await once(link, "listening");
  const port = await freePort([linkPort]);
  controlPlane.components.start(
    component,
    controlPlane.binaries["kube-apiserver"],
    apiServerFlags(controlPlane.directory, port, linkPort),
  );
  const server = `https://127.0.0.1:${port}`;
  await eventually("the second API server is ready", async () =>
    (await askApi({ ...controlPlane, server }, "/readyz")).status === 200 ? true : undefined,
  );
  return {
    server,
    pause: () => {
      paused = true;
      for (const [from, to] of pipes) from.unpipe(to);
    },
    resume: () => {
      paused = false;
      for (const [from, to] of pipes) from.pipe(to);
    },
    stop: async () => {
      await controlPlane.components.stop(component);
      link.close();
      for (const socket of pipes.keys()) socket.destroy();
    },
  };
}
