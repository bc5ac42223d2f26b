import { computed, shallowRef } from "vue";
import type { SetWindowMutationVariables } from "@/generated/consultant";
import { useActing } from "@/shell/acting";

/** A setting that is shown as wished at once; the latest wish is sent, and taken back if it is refused. */
export function useWish<Value>(own: () => Value, set: (wish: Value) => Promise<unknown>) {
  const wished = shallowRef<{ readonly value: Value } | null>(null);
  const setting = useActing(set);
  const value = computed(() => (wished.value ? wished.value.value : own()));

  async function wish(given: Value): Promise<void> {
    const isUnderWay = setting.isRunning.value;
    wished.value = { value: given };
    if (isUnderWay) return; // whoever sends the one before sends this one after it
    let sent;
    do {
      sent = wished.value;
    } while ((await setting.run(sent.value)) && sent !== wished.value); // once more only if pressed meanwhile
    wished.value = null;
  }
  return { value, wish, isUnderWay: setting.isRunning, refusal: setting.refusal };
}

type WindowInput = SetWindowMutationVariables["input"];
/** What one says of the own window. */
export type WindowWish = ReturnType<typeof useWish<{ state: WindowInput["state"]; capacity: number }>>;
