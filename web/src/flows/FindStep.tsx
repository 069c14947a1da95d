import { Select } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import type { FlowNode } from "../api/types";
import { Icon } from "../ui/Icon";
import classes from "./FlowCanvas.module.css";
import { indexOf, search } from "./search";

interface Props {
  nodes: FlowNode[];
  value: string | null;
  onChoose: (id: string | null) => void;
}

/** Finds a step by its name, its type or a text in its settings; Ctrl+F gets here. */
export function FindStep({ nodes, value, onChoose }: Props) {
  const [query, setQuery] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const index = useMemo(() => indexOf(nodes), [nodes]);
  const chosen = nodes.find((node) => node.id === value);
  const typed = query === (chosen?.name || chosen?.id) ? "" : query;
  const found = useMemo(() => search(index, typed), [index, typed]);
  const options = useMemo(() => {
    const list = found.map((item) => ({ value: item.id, label: item.label }));
    return value === null || list.some((item) => item.value === value) || !chosen ? list : [...list, { value, label: chosen.name || chosen.id }];
  }, [found, value, chosen]);
  const details = useMemo(() => new Map(found.map((item) => [item.id, item])), [found]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "f") return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  return (
    <Select
      ref={input}
      className={classes.search}
      aria-label="Find a step"
      placeholder="Find a step or a text"
      title="Ctrl+F"
      searchable
      clearable
      clearButtonProps={{ "aria-label": "Clear the search" }}
      size="xs"
      leftSection={<Icon name="search" size={14} />}
      nothingFoundMessage="No step has this name, type or text"
      data={options}
      // What is found is found above; the list shows it as it is.
      filter={({ options: all }) => all.filter((option) => !("value" in option) || details.has(option.value))}
      searchValue={query}
      onSearchChange={setQuery}
      comboboxProps={{ width: 330, position: "bottom-start", withinPortal: false }}
      withScrollArea={false}
      classNames={{ options: `${classes.options} nowheel` }}
      renderOption={({ option }) => {
        const item = details.get(option.value);
        return (
          <span className={classes.found}>
            <span>{option.label}</span>
            <span className="muted small">{item?.excerpt || item?.kind}</span>
          </span>
        );
      }}
      value={value}
      onChange={onChoose}
    />
  );
}
