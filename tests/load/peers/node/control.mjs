// The door of control.py: a line `number topic` at CONTROL_PORT is one event, without an answer.
import { createServer } from "node:net";
import { createInterface } from "node:readline";

import { HOST } from "./ground.mjs";

const first = JSON.parse(process.env.PEER_EVENT);

/** Call `publish(event)` for each line. */
export function listening(publish) {
  const door = createServer((socket) => {
    // A load client that is killed breaks its connection: no reason to end as well.
    socket.on("error", () => socket.destroy());
    createInterface({ input: socket }).on("line", (line) => publish(event(parseInt(line, 10))));
  });
  door.listen(Number(process.env.CONTROL_PORT), HOST);
}

/** The event of this number: the one that control.py makes, which is given for number 0. */
export function event(number) {
  return { ...first, id: first.id + number };
}
