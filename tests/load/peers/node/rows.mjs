// How a peer reaches its rows.
import pg from "pg";

/** Connections to PEER_DATABASE_URL: PEER_POOL of them, all open before anything is asked. */
export async function openPool() {
  const size = Number(process.env.PEER_POOL);
  const pool = new pg.Pool({
    connectionString: process.env.PEER_DATABASE_URL,
    min: size,
    max: size,
  });
  const connections = await Promise.all(Array.from({ length: size }, () => pool.connect()));
  for (const connection of connections) connection.release();
  return pool;
}
