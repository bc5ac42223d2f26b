import { h, type FunctionalComponent, type VNode } from "vue";

/** The tags that the server's sanitiser lets through (domain/notices/rules.py). */
const TAGS = new Set("p br hr h1 h2 h3 h4 h5 h6 blockquote pre code em strong s ul ol li a".split(" "));
const HEADING = /^h([1-6])$/;

/**
 * Text in safe HTML as Vue's own nodes. It is parsed in a document of its own, where nothing runs and
 * nothing is loaded, and only known tags are made anew, so a mistake of the sanitiser is harmless here.
 */
export const RichText: FunctionalComponent<{ html: string }> = ({ html }) =>
  h("div", { class: "rich" }, nodesOf(new DOMParser().parseFromString(html, "text/html").body));
RichText.props = ["html"];

function nodesOf(parent: Node): (VNode | string)[] {
  return [...parent.childNodes].flatMap((child): (VNode | string)[] => {
    if (child instanceof Text) return [child.data];
    if (!(child instanceof Element)) return [];
    return TAGS.has(child.localName) ? [h(shownAs(child.localName), attributesOf(child), nodesOf(child))] : nodesOf(child);
  });
}

/** A heading in a text stands below those of the page around it. */
const shownAs = (tag: string): string => tag.replace(HEADING, (_, level: string) => `h${Math.min(Number(level) + 2, 6)}`);

function attributesOf(element: Element): Record<string, string> {
  if (element.localName === "ol" && element.hasAttribute("start")) return { start: String(Number(element.getAttribute("start")) || 1) };
  const link = element.localName === "a" ? (element.getAttribute("href") ?? "") : "";
  return /^(https:|mailto:)/i.test(link) ? { href: link, target: "_blank", rel: "noopener noreferrer nofollow" } : {};
}
