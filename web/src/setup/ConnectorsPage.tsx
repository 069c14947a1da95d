import { Button, NativeSelect, PasswordInput, Switch, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { post } from "../api/client";
import type { Connector, ConnectorKind, ConnectorTest, Grant } from "../api/types";
import { Icon } from "../ui/Icon";
import { ResourcePage, type FormProps } from "./ResourcePage";
import { TestResult } from "./TestResult";

type Secret = "clientSecret" | "password" | "securityToken" | "refreshToken" | "token";
type Value = Omit<Connector, "id" | "version"> & Record<Secret, string>;

const kinds: Record<ConnectorKind, string> = { salesforce: "Salesforce", http: "HTTP service" };

const grants: Record<ConnectorKind, { value: Grant; label: string }[]> = {
  salesforce: [
    { value: "client_credentials", label: "Client credentials" },
    { value: "refresh_token", label: "Refresh token" },
    { value: "password", label: "User name and password" },
  ],
  http: [
    { value: "none", label: "None" },
    { value: "basic", label: "User name and password (Basic)" },
    { value: "bearer", label: "Fixed token (Bearer)" },
    { value: "client_credentials", label: "OAuth client credentials" },
  ],
};

const secretNames: Record<Secret, string> = {
  clientSecret: "Client secret",
  password: "Password",
  securityToken: "Security token",
  refreshToken: "Refresh token",
  token: "Token",
};

interface Needs {
  clientId: boolean;
  username: boolean;
  secrets: Secret[];
}

/** What a way of signing in asks for. */
function needsOf({ kind, grant }: { kind: ConnectorKind; grant: Grant }): Needs {
  switch (grant) {
    case "password":
      return { clientId: true, username: true, secrets: kind === "salesforce" ? ["clientSecret", "password", "securityToken"] : ["clientSecret", "password"] };
    case "client_credentials":
      return { clientId: true, username: false, secrets: ["clientSecret"] };
    case "refresh_token":
      return { clientId: true, username: false, secrets: ["clientSecret", "refreshToken"] };
    case "basic":
      return { clientId: false, username: true, secrets: ["password"] };
    case "bearer":
      return { clientId: false, username: false, secrets: ["token"] };
    case "none":
      return { clientId: false, username: false, secrets: [] };
  }
}

const grantName = (connector: Connector) => grants[connector.kind]?.find((grant) => grant.value === connector.grant)?.label ?? connector.grant;

/** The systems that flows and write-backs talk to. */
export function ConnectorsPage() {
  return (
    <ResourcePage<Connector, Value>
      path="/connectors"
      title="Connectors"
      noun="connector"
      lead="The systems that flows read and write, and how the hub signs in to them. Secrets are stored encrypted and never shown again."
      icon="plug"
      empty="Connect your CRM, and callers are looked up before the call rings."
      deleteWarning="Flows that use this connector fail at that step, and waiting write-backs to it cannot be sent."
      nameOf={(connector) => connector.name}
      columns={[
        { label: "Connector", cell: (connector) => connector.name },
        { label: "Kind", cell: (connector) => kinds[connector.kind] ?? connector.kind },
        { label: "Address", cell: (connector) => <span className="mono">{connector.baseUrl}</span> },
        { label: "Signs in with", cell: grantName },
      ]}
      toValue={(connector) => ({
        name: connector?.name ?? "",
        kind: connector?.kind ?? "salesforce",
        baseUrl: connector?.baseUrl ?? "",
        grant: connector?.grant ?? "client_credentials",
        clientId: connector?.clientId ?? "",
        username: connector?.username ?? "",
        allowPrivate: connector?.allowPrivate ?? false,
        clientSecret: "",
        password: "",
        securityToken: "",
        refreshToken: "",
        token: "",
      })}
      toBody={bodyOf}
      fields={(props) => <Fields {...props} />}
    />
  );
}

// An empty secret means: keep the stored one.
function bodyOf(value: Value): Partial<Value> {
  const needs = needsOf(value);
  const { name, kind, baseUrl, grant, allowPrivate } = value;
  const body: Partial<Value> = { name, kind, baseUrl: baseUrl.trim(), grant, allowPrivate };
  if (needs.clientId) body.clientId = value.clientId;
  if (needs.username) body.username = value.username;
  for (const secret of needs.secrets) if (value[secret]) body[secret] = value[secret];
  return body;
}

function Fields({ item, value, set }: FormProps<Connector, Value>) {
  const needs = needsOf(value);
  const setKind = (kind: ConnectorKind) => {
    set("kind", kind);
    set("grant", grants[kind][0]?.value ?? "none");
  };
  return (
    <>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={value.name} onChange={(event) => set("name", event.currentTarget.value)} />
      <NativeSelect label="Kind" disabled={Boolean(item)} data={Object.entries(kinds).map(([kind, label]) => ({ value: kind, label }))} value={value.kind} onChange={(event) => setKind(event.currentTarget.value as ConnectorKind)} />
      <TextInput
        label="Address"
        type="url"
        required
        withAsterisk={false}
        placeholder={value.kind === "salesforce" ? "https://yourcompany.my.salesforce.com" : "https://service.example.com"}
        value={value.baseUrl}
        onChange={(event) => set("baseUrl", event.currentTarget.value)}
      />
      <NativeSelect label="Signs in with" data={grants[value.kind]} value={value.grant} onChange={(event) => set("grant", event.currentTarget.value as Grant)} />
      {needs.clientId && <TextInput label="Client ID" autoComplete="off" value={value.clientId} onChange={(event) => set("clientId", event.currentTarget.value)} />}
      {needs.username && <TextInput label="User name" autoComplete="off" value={value.username} onChange={(event) => set("username", event.currentTarget.value)} />}
      {needs.secrets.map((secret) => (
        <PasswordInput
          key={secret}
          label={secretNames[secret]}
          autoComplete="new-password"
          description={item ? "Leave empty to keep the stored one; type it again when the address or login changes." : undefined}
          value={value[secret]}
          onChange={(event) => set(secret, event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": `Show or hide: ${secretNames[secret]}` }}
        />
      ))}
      <Switch
        label="Allow addresses of the own network"
        description="Off, the hub refuses to call private and loopback addresses under this name."
        checked={value.allowPrivate}
        onChange={(event) => set("allowPrivate", event.currentTarget.checked)}
      />
      {item && <Test id={item.id} />}
    </>
  );
}

function Test({ id }: { id: string }) {
  const test = useMutation({ mutationFn: () => post<ConnectorTest>(`/connectors/${encodeURIComponent(id)}/test`) });
  return (
    <>
      <div>
        <Button variant="default" leftSection={<Icon name="bolt" />} loading={test.isPending} onClick={() => test.mutate()} data-testid="connector-test">
          Test the saved connector
        </Button>
      </div>
      <TestResult result={test.data} error={test.error} testId="connector-result">
        <p className="small">
          {test.data?.detail} {test.data?.durationMs} ms
        </p>
      </TestResult>
    </>
  );
}
