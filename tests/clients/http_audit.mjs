// Runs every audit of npm graphql-http against the given URL; prints one JSON object.
import { serverAudits } from "graphql-http";

const failed = [];
const audits = serverAudits({ url: process.argv[2] });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== "ok") {
    failed.push({ id: result.id, name: result.name, status: result.status, reason: result.reason });
  }
}
console.log(JSON.stringify({ count: audits.length, failed }));
