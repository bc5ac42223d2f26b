import { computed, onScopeDispose, ref, shallowRef } from "vue";

const TWO = matchMedia("(min-width: 64rem)");
const THREE = matchMedia("(min-width: 100rem)");
const fitting = (): number => (THREE.matches ? 3 : TWO.matches ? 2 : 1);

/** Which cases stand side by side: as many as the screen has room for, the one used longest ago gives way. */
export function useColumns() {
  const room = ref(fitting());
  const placed = shallowRef<readonly string[]>([]);
  const used = shallowRef<readonly string[]>([]); // the latest last
  /** Whom the focus goes to, when it is there; counted, so that the same can be asked for again. */
  const wanted = shallowRef<{ readonly id: string } | null>(null);

  const measure = (): void => void (room.value = fitting());
  for (const query of [TWO, THREE]) query.addEventListener("change", measure);
  onScopeDispose(() => [TWO, THREE].forEach((query) => query.removeEventListener("change", measure)));

  const shown = computed(() => {
    const latest = used.value.slice(-room.value);
    return placed.value.filter((id) => latest.includes(id));
  });
  const current = computed(() => used.value.at(-1) ?? null);

  const touch = (id: string): void => void (used.value = [...used.value.filter((each) => each !== id), id]);

  function open(id: string): void {
    if (!placed.value.includes(id)) {
      const leaving = placed.value.length < room.value ? null : used.value[0];
      placed.value = leaving ? placed.value.map((each) => (each === leaving ? id : each)) : [...placed.value, id];
      used.value = used.value.filter((each) => each !== leaving);
    }
    touch(id);
    wanted.value = { id };
  }

  function close(id: string): void {
    placed.value = placed.value.filter((each) => each !== id);
    used.value = used.value.filter((each) => each !== id);
    if (current.value) wanted.value = { id: current.value };
  }

  /** The column beside the one in use, round and round. */
  function turn(step: 1 | -1): void {
    const { value: ids } = shown;
    const next = ids[(ids.indexOf(current.value ?? "") + step + ids.length) % ids.length];
    if (next) open(next);
  }
  return { room, shown, current, wanted, touch, open, close, turn };
}
