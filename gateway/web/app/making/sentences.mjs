// The sentences of docs/errors.md by code: {"zh-CN": {code: sentence}, "en": {…}}.
const ROW = /^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$/;

export function sentences(page) {
  const said = { "zh-CN": {}, en: {} };
  let isForProgrammers = false;
  for (const line of page.split("\n")) {
    // "to a person each is 系统出错了": these need no sentence of their own on a screen.
    if (line.startsWith("## ")) isForProgrammers = /Requests and documents|For operators/.test(line);
    const row = ROW.exec(line);
    if (!row || isForProgrammers) continue;
    const [, code, chinese, english] = row;
    said["zh-CN"][code] = chinese.replaceAll(",", "\uff0c").replaceAll(";", "\uff1b");
    said.en[code] = english;
  }
  if (Object.keys(said.en).length < 50) throw new Error("docs/errors.md: its tables have another shape");
  return said;
}
