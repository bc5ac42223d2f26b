import { computed, reactive, shallowRef, watch } from "vue";
import { Offices, Parts, type AudienceInput, type OfficesQuery, type Ownership, type PartsQuery } from "@/generated/cadre";
import { client } from "@/shell/link";
import { useReading } from "@/shell/reading";

type Role = NonNullable<OfficesQuery["viewer"]>["roles"][number];
type Part = NonNullable<PartsQuery["zones"]>["edges"][number]["node"];
export type Kind = "zone" | "line" | "unions";

/** A union in whose name one may publish, and along which hierarchies. */
export interface Publisher {
  readonly id: string;
  readonly name: string;
  readonly level: NonNullable<Role["union"]>["level"];
  readonly hierarchies: ReadonlySet<Role["hierarchy"]>;
}

export const OWNERSHIPS: readonly Ownership[] = ["STATE", "COLLECTIVE", "PRIVATE", "FOREIGN", "HONG_KONG_MACAU_TAIWAN", "PUBLIC_INSTITUTION", "OTHER"];

/** The unions in whose names this person may publish. */
export async function myPublishers(): Promise<readonly Publisher[]> {
  const found = new Map<string, Publisher>();
  for (const { union, hierarchy, capabilities } of (await client.query(Offices)).viewer?.roles ?? []) {
    if (!union || !capabilities.includes("NOTICE_PUBLISH")) continue;
    found.set(union.id, { ...union, hierarchies: new Set([...(found.get(union.id)?.hierarchies ?? []), hierarchy]) });
  }
  return [...found.values()];
}

/** Whom a notice is for: in whose name, and which part of the matrix. */
export function useAudience() {
  const chosen = reactive({ publisherId: "", kind: "zone" as Kind, placeId: "", ownership: "" as Ownership | "", country: "", named: [] as string[] });
  const zones = shallowRef<readonly Part[]>([]);
  const lines = shallowRef<readonly Part[]>([]);
  const { data: publishers, stage, refusal, again } = useReading(async () => {
    const mine = await myPublishers();
    if (mine.some((one) => one.level === "FEDERATION")) {
      const parts = await client.query(Parts);
      zones.value = parts.zones?.edges.map((edge) => edge.node) ?? [];
      lines.value = parts.lines?.edges.map((edge) => edge.node) ?? [];
    }
    chosen.publisherId ||= mine[0]?.id ?? "";
    return mine;
  });

  const publisher = computed(() => publishers.value?.find((one) => one.id === chosen.publisherId) ?? null);
  const isCity = computed(() => publisher.value?.level === "FEDERATION");
  const kinds = computed<readonly Kind[]>(() => {
    const along = publisher.value?.hierarchies;
    const isByTerritory = along?.has("TERRITORY") ?? false;
    const isByLine = (along?.has("LINE") ?? false) || isCity.value;
    return [...(isByTerritory ? (["zone"] as const) : []), ...(isByLine ? (["line"] as const) : []), "unions"];
  });
  /** What may be chosen of the kind: everything below the own union first. */
  const places = computed<readonly Part[]>(() => {
    const one = publisher.value;
    if (!one || chosen.kind === "unions") return [];
    return [one, ...(isCity.value ? (chosen.kind === "zone" ? zones.value : lines.value) : [])];
  });
  watch([kinds, places], () => {
    if (!kinds.value.includes(chosen.kind)) chosen.kind = kinds.value[0]!;
    if (!places.value.some((place) => place.id === chosen.placeId)) chosen.placeId = places.value[0]?.id ?? "";
  });
  watch(() => chosen.publisherId, () => (chosen.named = []));

  const audience = computed<AudienceInput | null>(() => {
    const country = chosen.country.trim().toUpperCase();
    const narrowed = { ownership: chosen.ownership || null, investorCountry: country || null };
    if (!publisher.value) return null;
    if (chosen.kind === "unions") return chosen.named.length ? { ...narrowed, unionIds: [...chosen.named] } : null;
    if (!places.value.some((place) => place.id === chosen.placeId)) return null;
    return { ...narrowed, ...(chosen.kind === "zone" ? { zoneId: chosen.placeId } : { lineId: chosen.placeId }) };
  });
  return { chosen, publishers, publisher, zones, kinds, places, audience, stage, refusal, again };
}
