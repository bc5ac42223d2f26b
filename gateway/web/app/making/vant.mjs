// Vant's icons are a font, inlined in the style sheet with an address on somebody's network beside it.
// The app draws its own few icons (src/shell/Glyph.vue), so the font is left out.
export function vantWithoutItsIconFont() {
  return {
    name: "vant-without-its-icon-font",
    enforce: "pre",
    load(id) {
      return /vant\/es\/icon\/index\.css/.test(id) ? ".van-icon{display:inline-block;position:relative}" : undefined;
    },
  };
}
