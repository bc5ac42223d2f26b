import MarkdownIt from "markdown-it";

/** Set as the server's (domain/notices/rules.py), so that the preview is what will be read. */
const reader = new MarkdownIt("commonmark", { html: false }).enable(["strikethrough"]).disable(["image", "html_block", "html_inline"]);
reader.validateLink = (url: string) => /^(https:|mailto:)/i.test(url.trim());

/** HTML for `RichText`, which lets known tags through and nothing else. */
export const rendered = (text: string): string => reader.render(text);
