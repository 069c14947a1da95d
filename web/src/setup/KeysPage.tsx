import { ActionIcon, Button, Checkbox, CopyButton, Modal, NativeSelect, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { create, del } from "../api/client";
import { useAll } from "../api/lists";
import type { AccessKey, ApiToken, Role } from "../api/types";
import { Confirm } from "../ui/Confirm";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Empty, Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { Ago } from "../ui/Time";
import { toastDone, toastFailed } from "../ui/toast";
import { roleNames } from "../ui/words";
import { FormDialog } from "./FormDialog";
import classes from "./Setup.module.css";

const TOKENS = "/api-tokens";
const KEYS = "/access-keys";
const DAY_MS = 86_400_000;

interface Secret {
  title: string;
  parts: { label: string; value: string }[];
}

/** Tokens for this API and access keys for the Amazon dialects. */
export function KeysPage() {
  const [secret, setSecret] = useState<Secret | null>(null);
  const [dialog, setDialog] = useState<"token" | "key" | null>(null);
  return (
    <Page title="Tokens and keys" lead="How programs sign in. A secret is shown once, when it is made; what is lost is replaced, not read again.">
      <Tokens add={() => setDialog("token")} />
      <Keys add={() => setDialog("key")} />
      {dialog === "token" && <NewToken close={() => setDialog(null)} show={setSecret} />}
      {dialog === "key" && <NewKey close={() => setDialog(null)} show={setSecret} />}
      <ShownOnce secret={secret} close={() => setSecret(null)} />
    </Page>
  );
}

const tokenColumns: Column<ApiToken>[] = [
  { label: "Name", cell: (token) => <strong>{token.name}</strong> },
  { label: "Roles", cell: (token) => roleNames(token.roles) },
  { label: "Ends", cell: (token) => (token.expiresAt ? <Expiry at={token.expiresAt} /> : "never") },
  { label: "Last used", cell: (token) => <Ago time={token.lastUsedAt} /> },
];

function Expiry({ at }: { at: string }) {
  return Date.parse(at) < Date.now() ? <Pill tone="bad">Expired</Pill> : <Ago time={at} />;
}

function Tokens({ add }: { add: () => void }) {
  return <Credentials<ApiToken> path={TOKENS} title="API tokens" noun="token" hint="For scripts and reports that use /api/v1." columns={tokenColumns} add={add} />;
}

const keyColumns: Column<AccessKey>[] = [
  { label: "Name", cell: (key) => <strong>{key.name}</strong> },
  { label: "Access key", cell: (key) => <span className="mono">{key.accessKeyId ?? key.id}</span> },
  { label: "Made", cell: (key) => <Ago time={key.createdAt} /> },
  { label: "Last used", cell: (key) => <Ago time={key.lastUsedAt} /> },
];

function Keys({ add }: { add: () => void }) {
  return <Credentials<AccessKey> path={KEYS} title="Access keys" noun="access key" hint="For Amazon clients that sign their requests." columns={keyColumns} add={add} />;
}

interface ListProps<T> {
  path: string;
  title: string;
  noun: string;
  hint: string;
  columns: Column<T>[];
  add: () => void;
}

function Credentials<T extends { id: string; name: string }>({ path, title, noun, hint, columns, add }: ListProps<T>) {
  const list = useAll<T>(path);
  const queries = useQueryClient();
  const [asked, setAsked] = useState<T | null>(null);
  const remove = useMutation({
    mutationFn: (id: string) => del(`${path}/${encodeURIComponent(id)}`),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [path] });
      toastDone(`The ${noun} no longer works.`);
    },
    onError: toastFailed,
  });
  const withRemove: Column<T>[] = [
    ...columns,
    {
      label: "Actions",
      hideLabel: true,
      numeric: true,
      cell: (item) => (
        <Button variant="subtle" color="red" size="compact-sm" aria-label={`Revoke ${item.name}`} onClick={() => setAsked(item)}>
          Revoke
        </Button>
      ),
    },
  ];
  const button = (
    <Button variant="default" size="xs" leftSection={<Icon name="plus" size={14} />} onClick={add} data-testid={`add-${noun.replace(" ", "-")}`}>
      {`New ${noun}`}
    </Button>
  );
  return (
    <section className="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        <span className="muted small">{hint}</span>
        <span className="end">{button}</span>
      </header>
      <Loaded query={list} rows={3}>
        {(rows) =>
          rows.length === 0 ? (
            <Empty icon="key" title={`No ${title.toLowerCase().replace("api", "API")} yet`}>
              {hint}
            </Empty>
          ) : (
            <DataTable caption={title} columns={withRemove} rows={rows} rowKey={(item) => item.id} />
          )
        }
      </Loaded>
      <Confirm opened={asked !== null} close={() => setAsked(null)} title={`Revoke ${asked?.name ?? ""}?`} action={`Revoke the ${noun}`} run={() => remove.mutateAsync(asked?.id ?? "")}>
        Programs that use it are refused at once.
      </Confirm>
    </section>
  );
}

const tokenRoles: { value: Role; label: string }[] = [
  { value: "supervisor", label: "Supervisor: reads live data, contacts and flows" },
  { value: "admin", label: "Administrator: may do everything" },
];

const lifetimes = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "One year" },
];

interface NewProps {
  close: () => void;
  show: (secret: Secret) => void;
}

function NewToken({ close, show }: NewProps) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [roles, setRoles] = useState<string[]>(["supervisor"]);
  const [days, setDays] = useState("90");
  const make = useMutation({
    mutationFn: () => create<ApiToken>(TOKENS, { name, roles, expiresAt: new Date(Date.now() + Number(days) * DAY_MS).toISOString() }),
    onSuccess: (token) => {
      void queries.invalidateQueries({ queryKey: [TOKENS] });
      show({ title: `Token ${token.name}`, parts: [{ label: "Token", value: token.token ?? "" }] });
    },
    onError: toastFailed,
  });
  return (
    <FormDialog title="New token" action="Create the token" close={close} run={() => make.mutateAsync()}>
      <TextInput label="Name" description="What it is for: it stands in the audit." required withAsterisk={false} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
      <Checkbox.Group label="Roles" value={roles} onChange={setRoles}>
        {tokenRoles.map((role) => (
          <Checkbox key={role.value} mt="xs" value={role.value} label={role.label} />
        ))}
      </Checkbox.Group>
      <NativeSelect label="Works for" data={lifetimes} value={days} onChange={(event) => setDays(event.currentTarget.value)} />
    </FormDialog>
  );
}

function NewKey({ close, show }: NewProps) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const make = useMutation({
    mutationFn: () => create<AccessKey>(KEYS, { name }),
    onSuccess: (key) => {
      void queries.invalidateQueries({ queryKey: [KEYS] });
      show({
        title: `Access key ${key.name}`,
        parts: [
          { label: "Access key ID", value: key.accessKeyId ?? key.id },
          { label: "Secret access key", value: key.secret ?? "" },
        ],
      });
    },
    onError: toastFailed,
  });
  return (
    <FormDialog title="New access key" action="Create the access key" close={close} run={() => make.mutateAsync()}>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={name} onChange={(event) => setName(event.currentTarget.value)} />
    </FormDialog>
  );
}

function ShownOnce({ secret, close }: { secret: Secret | null; close: () => void }) {
  return (
    <Modal opened={secret !== null} onClose={close} closeOnClickOutside={false} title={secret?.title} closeButtonProps={{ "aria-label": "Close" }}>
      <div className={classes.form}>
        <p>Copy it now: it is not stored in a form that can be shown again.</p>
        {secret?.parts.map((part) => (
          <div key={part.label}>
            <span className="muted small">{part.label}</span>
            <div className={classes.once}>
              <code data-testid="shown-once">{part.value}</code>
              <CopyButton value={part.value}>
                {({ copied, copy }) => (
                  <ActionIcon variant="default" aria-label={copied ? "Copied" : `Copy: ${part.label}`} onClick={copy}>
                    <Icon name={copied ? "check" : "copy"} />
                  </ActionIcon>
                )}
              </CopyButton>
            </div>
          </div>
        ))}
        <div className={classes.buttons}>
          <Button onClick={close}>I have kept it</Button>
        </div>
      </div>
    </Modal>
  );
}
