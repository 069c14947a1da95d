import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { get } from "../api/client";
import type { Live } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./Contacts.module.css";
import type { ContactFilter } from "./filter";

const states = [
  { value: "", label: "Any state" },
  { value: "flow", label: "In the flow" },
  { value: "queued", label: "Waiting" },
  { value: "connected", label: "Talking" },
  { value: "wrapup", label: "Wrap-up" },
  { value: "ended", label: "Ended" },
];

/** Narrowing the list: the number on Enter, everything else at once. */
export function Filters({ filter, change }: { filter: ContactFilter; change: (filter: ContactFilter) => void }) {
  const [number, setNumber] = useState(filter.number ?? "");
  // Supervisors may not read the set-up lists; the live view names the same queues and agents.
  const live = useQuery({ queryKey: ["live", "names"], queryFn: ({ signal }) => get<Live>("/live", signal), staleTime: 60_000 });
  const set = (name: keyof ContactFilter, value: string) => {
    const next = { ...filter };
    if (value) next[name] = value;
    else delete next[name];
    change(next);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set("number", number.trim());
  };
  return (
    <form className={classes.filters} onSubmit={submit} role="search" aria-label="Contacts">
      <TextInput label="Number" placeholder="Whole, or last 4 or 7 digits" leftSection={<Icon name="search" />} value={number} onChange={(event) => setNumber(event.currentTarget.value)} onBlur={() => number.trim() !== (filter.number ?? "") && set("number", number.trim())} />
      <NativeSelect label="State" data={states} value={filter.state ?? ""} onChange={(event) => set("state", event.currentTarget.value)} />
      <NativeSelect label="Queue" data={options("Any queue", live.data?.queues)} value={filter.queueId ?? ""} onChange={(event) => set("queueId", event.currentTarget.value)} />
      <NativeSelect label="Agent" data={options("Any agent", live.data?.agents)} value={filter.agentId ?? ""} onChange={(event) => set("agentId", event.currentTarget.value)} />
      <TextInput type="date" label="From" value={filter.from ?? ""} onChange={(event) => set("from", event.currentTarget.value)} />
      <TextInput type="date" label="Until" value={filter.to ?? ""} onChange={(event) => set("to", event.currentTarget.value)} />
      {Object.keys(filter).length > 0 && (
        <Button
          variant="subtle"
          onClick={() => {
            setNumber("");
            change({});
          }}
        >
          Clear
        </Button>
      )}
    </form>
  );
}

const options = (any: string, items: { id: string; name: string }[] | null | undefined) => [
  { value: "", label: any },
  ...(items ?? []).map((item) => ({ value: item.id, label: item.name })),
];
