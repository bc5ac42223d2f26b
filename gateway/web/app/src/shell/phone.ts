/** What the phone's rooms use of Vant, with its styles; more is added here, never imported whole. */
export { Button as VanButton } from "vant/es/button";
import "vant/es/button/style/index";
