import { onScopeDispose, watchEffect } from "vue";
import { speech } from "@/shell/languages";
import { preferences } from "@/shell/preferences";

const COUNT_MAX = 99;
const CHIME_S = 0.35;
const CHIME_HZ = [880, 1175]; // two short tones, unlike the system's own
const LOUDNESS = 0.08;

/** How much waits, in the page's title: a number and nothing of what it is about. */
export function useTitle(count: () => number): void {
  const before = document.title;
  watchEffect(() => {
    const much = count();
    const name = speech.t("shell.name");
    document.title = much ? `(${much > COUNT_MAX ? `${COUNT_MAX}+` : much}) ${name}` : name;
  });
  onScopeDispose(() => (document.title = before));
}

/** A short sound; browsers allow none before the person has done something on the page. */
export function useChime(): () => void {
  let audio: AudioContext | null = null;
  const allow = (): void => {
    audio ??= new AudioContext();
    void audio.resume().catch(() => {});
  };
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, allow, { capture: true, once: true });
  onScopeDispose(() => {
    for (const name of ["pointerdown", "keydown"]) removeEventListener(name, allow, { capture: true });
    void audio?.close().catch(() => {});
  });

  return () => {
    if (!audio || !preferences.hasSound) return;
    const gain = audio.createGain();
    gain.connect(audio.destination);
    gain.gain.setValueAtTime(LOUDNESS, audio.currentTime);
    gain.gain.linearRampToValueAtTime(0, audio.currentTime + CHIME_S);
    CHIME_HZ.forEach((hertz, at) => {
      const tone = new OscillatorNode(audio!, { frequency: hertz });
      tone.connect(gain);
      tone.start(audio!.currentTime + (at * CHIME_S) / CHIME_HZ.length);
      tone.stop(audio!.currentTime + CHIME_S);
    });
  };
}
