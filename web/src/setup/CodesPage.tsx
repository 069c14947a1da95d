import { ActionIcon, Button, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { get, put } from "../api/client";
import type { Page as ListPage, Ref } from "../api/types";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { toastDone, toastFailed } from "../ui/toast";
import classes from "./Setup.module.css";

/** The words agents choose from: why they are away, and how a call ended. */
export function CodesPage() {
  return (
    <Page title="Reasons and codes" lead="The words agents choose from.">
      <div className={classes.pair}>
        <WordList path="/reasons" title="Reasons for not being available" noun="reason" />
        <WordList path="/wrapup-codes" title="Wrap-up codes" noun="code" />
      </div>
    </Page>
  );
}

interface Props {
  path: string;
  title: string;
  noun: string;
}

function WordList({ path, title, noun }: Props) {
  const list = useQuery({ queryKey: [path], queryFn: ({ signal }) => get<ListPage<Ref>>(path, signal) });
  return (
    <section className="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      <Loaded query={list} rows={4}>
        {({ items }) => <Editor key={JSON.stringify(items)} path={path} noun={noun} items={items ?? []} />}
      </Loaded>
    </section>
  );
}

function Editor({ path, noun, items }: { path: string; noun: string; items: Ref[] }) {
  const [rows, setRows] = useState(items);
  const queries = useQueryClient();
  const save = useMutation({
    mutationFn: () => put(path, { items: rows.filter((row) => row.name.trim() !== "") }),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [path] });
      toastDone("The list is saved.");
    },
    onError: toastFailed,
  });
  const rename = (index: number, name: string) => setRows(rows.map((row, at) => (at === index ? { ...row, name } : row)));
  const changed = JSON.stringify(rows) !== JSON.stringify(items);
  return (
    <>
      <ul className={classes.codes}>
        {rows.map((row, index) => (
          <li key={row.id || index}>
            <TextInput aria-label={`${noun} ${index + 1}`} value={row.name} onChange={(event) => rename(index, event.currentTarget.value)} />
            <ActionIcon variant="subtle" color="gray" size="input-sm" aria-label={`Remove ${row.name || noun}`} onClick={() => setRows(rows.filter((_, at) => at !== index))}>
              <Icon name="close" />
            </ActionIcon>
          </li>
        ))}
      </ul>
      <div className={classes.foot}>
        <Button variant="default" leftSection={<Icon name="plus" />} onClick={() => setRows([...rows, { id: "", name: "" }])}>
          {`Add a ${noun}`}
        </Button>
        <Button disabled={!changed} loading={save.isPending} onClick={() => save.mutate()}>
          Save
        </Button>
      </div>
    </>
  );
}
