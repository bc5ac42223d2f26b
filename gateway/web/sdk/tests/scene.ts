/** A scripted server: sockets that a test opens and speaks through, answers over HTTP, and time that stands still. */
import assert from "node:assert/strict";
import { mock, type TestContext } from "node:test";
import { connect, type Client, type ConnectionState, type ConnectOptions } from "../src/index.js";

export type Frame = { type: string; id?: string; payload?: any };

/** Stands in for the browser's WebSocket. */
export class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  static all: FakeSocket[] = [];

  readyState = FakeSocket.CONNECTING;
  readonly sent: Frame[] = [];
  onopen: (() => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((error: unknown) => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  closedWith: number | null = null;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    FakeSocket.all.push(this);
  }

  send(data: string): void {
    assert.equal(this.readyState, FakeSocket.OPEN);
    this.sent.push(JSON.parse(data));
  }

  close(code = 1005): void {
    if (this.readyState >= FakeSocket.CLOSING) return;
    this.closedWith = code;
    this.readyState = FakeSocket.CLOSING;
    setImmediate(() => {
      this.readyState = FakeSocket.CLOSED;
      this.onclose?.({ code, reason: "" });
    });
  }

  /** The subscriptions that were asked for, as they stand on the wire. */
  get asked(): Frame[] {
    return this.sent.filter(({ type }) => type === "subscribe");
  }

  get since(): unknown {
    return this.asked.at(-1)?.payload.extensions.rt?.since;
  }

  async say(...frames: Frame[]): Promise<void> {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
    await settle();
  }

  /** An event of the stream `s`, to the last subscription unless told. */
  async event(o: number, more: { p?: number; e?: string; s?: string; id?: string } = {}): Promise<void> {
    const { id = this.asked.at(-1)?.id, s = "cv:1", e = "ep", ...rest } = more;
    await this.say({
      type: "next",
      id: id!,
      payload: { data: { n: o }, extensions: { rt: { s, e, o, ...rest } } },
    });
  }

  async live(o: number, id = this.asked.at(-1)!.id!): Promise<void> {
    await this.say({ type: "ping", payload: { rt: { live: { [id]: { "cv:1": ["ep", o] } } } } });
  }

  async fail(code: string, more: object = {}): Promise<void> {
    await this.say({
      type: "error",
      id: this.asked.at(-1)!.id!,
      payload: [{ message: code, extensions: { code, ...more } }],
    });
  }

  /** The handshake, and the acknowledgement unless told. */
  async open({ ack = true } = {}): Promise<void> {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
    await settle();
    if (ack) await this.say({ type: "connection_ack", payload: { rt: { v: 1, hb: 25_000 } } });
  }

  async drop(code = 1006, reason = ""): Promise<void> {
    this.readyState = FakeSocket.CLOSED;
    this.onclose?.({ code, reason });
    await settle();
  }
}

/** Promises run out; no time passes. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await new Promise((done) => realImmediate(done));
}
const realImmediate = setImmediate; // not one of the mocked

export async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await settle();
}

export type Asked = {
  query: string;
  variables: any;
  extensions?: any;
  headers: Record<string, string>;
  url: string;
};

export interface Scene {
  client: Client;
  states: ConnectionState["is"][];
  /** What was asked over HTTP. */
  asked: Asked[];
  /** The next answers over HTTP, in order: JSON, an error to throw, or a Response; or a promise of one. */
  answers: unknown[];
  socket: FakeSocket;
}

export function scene(t: TestContext, options: Partial<ConnectOptions> = {}): Scene {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
  FakeSocket.all = [];
  const asked: Asked[] = [];
  const answers: unknown[] = [];
  const fetcher = async (url: string, init: RequestInit): Promise<Response> => {
    init.signal!.throwIfAborted(); // then nothing is sent
    asked.push({ url, headers: init.headers, ...JSON.parse(init.body as string) });
    const answer = await answers.shift();
    if (answer === undefined)
      return new Promise((_, failed) => init.signal!.addEventListener("abort", failed));
    if (answer instanceof Error) throw answer;
    return answer instanceof Response
      ? answer
      : Response.json(answer, { status: (answer as any).status ?? 200 });
  };
  const client = connect({
    ...{ url: "https://union.example/graphql", webSocket: FakeSocket, fetch: fetcher as never },
    ...options,
  });
  const states: ConnectionState["is"][] = [];
  client.connection.watch(({ is }) => void states.push(is));
  t.after(async () => {
    client.dispose();
    await settle();
    mock.timers.reset();
  });
  return {
    ...{ client, states, asked, answers },
    get socket() {
      return FakeSocket.all.at(-1)!;
    },
  };
}

export const EVENTS = "subscription ($id: ID!) { events(id: $id) { n } }";

/** A subscription whose events are listed, connected and live at the offset. */
export async function following(
  here: Scene,
  options: object = {},
): Promise<{ heard: number[]; errors: string[]; stop: () => void; position: () => string | null }> {
  const heard: number[] = [];
  const errors: string[] = [];
  const one = here.client.follow<any>(
    EVENTS,
    { id: "1" },
    {
      next: ({ n }) => void heard.push(n),
      error: ({ code }) => void errors.push(code),
      ...options,
    },
  );
  await settle();
  if (here.socket?.readyState === FakeSocket.CONNECTING) await here.socket.open();
  return { heard, errors, stop: () => one.stop(), position: () => one.position };
}
