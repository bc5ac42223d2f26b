/**
 * What the desk's rooms use of Element Plus, with its styles; more is added here, never imported whole.
 * Only a desk's frame may import this: it must never come into the phone's shell (a test looks).
 */
import "element-plus/theme-chalk/base.css";
import "./element.css";

export { ElButton } from "element-plus/es/components/button/index.mjs";
import "element-plus/es/components/button/style/css";
