import { nextTick, ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { forgetEverything } from "./forgetting";
import { isEnded, refusalOf, type Refusal } from "./refusal";

export interface Acting<Arguments extends unknown[]> {
  /** At once from the press on, so that it is seen to be taken. */
  readonly isRunning: Ref<boolean>;
  readonly refusal: ShallowRef<Refusal | null>;
  /** Do it, once at a time; whether it was done. */
  readonly run: (...given: Arguments) => Promise<boolean>;
}

/** One action of a page, such as a button's: taken at once, never twice at a time, its refusal kept. */
export function useActing<Arguments extends unknown[]>(act: (...given: Arguments) => Promise<unknown>): Acting<Arguments> {
  const isRunning = ref(false);
  const refusal = shallowRef<Refusal | null>(null);

  async function run(...given: Arguments): Promise<boolean> {
    if (isRunning.value) return false;
    const pressed = document.activeElement;
    isRunning.value = true;
    refusal.value = null;
    try {
      await act(...given);
      return true;
    } catch (thrown) {
      const why = refusalOf(thrown);
      if (isEnded(why)) void forgetEverything("ended");
      refusal.value = why;
      return false;
    } finally {
      isRunning.value = false;
      void nextTick(() => keepFocus(pressed));
    }
  }
  return { isRunning, refusal, run };
}

/** A button that was disabled meanwhile has lost the focus: whoever works with the keyboard goes on from there. */
function keepFocus(pressed: Element | null): void {
  const isNowhere = document.activeElement === null || document.activeElement === document.body;
  if (isNowhere && pressed instanceof HTMLElement) pressed.focus();
}
