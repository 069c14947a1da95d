import { Button, NativeSelect, PasswordInput, Progress, Switch, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { get, messageOf, post } from "../api/client";
import type { Connector, ConnectorKind, ConnectorStatus, ConnectorTest, Grant } from "../api/types";
import { Icon } from "../ui/Icon";
import { Pill } from "../ui/Status";
import { formatClock } from "../ui/time";
import { ResourcePage, type FormProps } from "./ResourcePage";
import classes from "./Setup.module.css";
import { TestResult } from "./TestResult";

type Secret = "privateKey" | "clientSecret" | "password" | "securityToken" | "refreshToken" | "token";
type Value = Omit<Connector, "id" | "version"> & Record<Secret, string>;

const kinds: Record<ConnectorKind, string> = { salesforce: "Salesforce", http: "HTTP service" };

const grants: Record<ConnectorKind, { value: Grant; label: string }[]> = {
  salesforce: [
    { value: "jwt_bearer", label: "JWT bearer (signed with a key)" },
    { value: "client_credentials", label: "Client credentials" },
    { value: "refresh_token", label: "Sign-in in the browser (refresh token)" },
    { value: "password", label: "User name and password" },
    { value: "soap_login", label: "SOAP login" },
  ],
  http: [
    { value: "none", label: "None" },
    { value: "basic", label: "User name and password (Basic)" },
    { value: "bearer", label: "Fixed token (Bearer)" },
  ],
};

const secretNames: Record<Secret, string> = {
  privateKey: "Private key",
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
function needsOf({ grant }: { grant: Grant }): Needs {
  switch (grant) {
    case "jwt_bearer":
      return { clientId: true, username: true, secrets: ["privateKey"] };
    case "password":
      return { clientId: true, username: true, secrets: ["clientSecret", "password", "securityToken"] };
    case "soap_login":
      return { clientId: false, username: true, secrets: ["password", "securityToken"] };
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

const grantName = ({ kind, grant }: { kind: ConnectorKind; grant: Grant }) => grants[kind]?.find((known) => known.value === grant)?.label ?? grant;

/** What is to be known of the ways of signing in to Salesforce that it advises against; the hub says the same of a stored connector. */
const warnings: Partial<Record<Grant, string>> = {
  password:
    "Salesforce has the username-password flow off in new orgs and advises against it: the password travels with each login, and a changed password or token stops the connector. Use JWT bearer or client credentials.",
  soap_login:
    "Salesforce ends SOAP login on 1 June 2027 and has it off in new orgs; this connector stops working then. The password travels with each login, and no app limits what the session may do. Use JWT bearer or client credentials.",
};

/** The same in a word or two. */
const marks: Partial<Record<Grant, string>> = { password: "not advised", soap_login: "ends on 1 June 2027" };

const optionsOf = (kind: ConnectorKind) =>
  grants[kind].map(({ value, label }) => ({ value, label: kind === "salesforce" && marks[value] ? `${label} (${marks[value]})` : label }));

const warningOf = ({ kind, grant }: { kind: ConnectorKind; grant: Grant }) => (kind === "salesforce" ? warnings[grant] : undefined);

/** The way a connector signs in, marked where Salesforce advises against it. */
function Login({ kind, grant }: { kind: ConnectorKind; grant: Grant }) {
  const warning = warningOf({ kind, grant });
  return (
    <span>
      {grantName({ kind, grant })}{" "}
      {warning && (
        <Pill tone="warn" title={warning}>
          {marks[grant]}
        </Pill>
      )}
    </span>
  );
}

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
        { label: "Signs in with", cell: (connector) => <Login kind={connector.kind} grant={connector.grant} /> },
      ]}
      toValue={(connector) => ({
        name: connector?.name ?? "",
        kind: connector?.kind ?? "salesforce",
        baseUrl: connector?.baseUrl ?? "",
        grant: connector?.grant ?? "client_credentials",
        clientId: connector?.clientId ?? "",
        username: connector?.username ?? "",
        allowPrivate: connector?.allowPrivate ?? false,
        region: connector?.region ?? "",
        phoneField: connector?.phoneField ?? "",
        marker: connector?.marker ?? "",
        streams: connector?.streams ?? "",
        streamsCa: connector?.streamsCa ?? "",
        privateKey: "",
        clientSecret: "",
        password: "",
        securityToken: "",
        refreshToken: "",
        token: "",
      })}
      toBody={bodyOf}
      notice={<Connected />}
      fields={(props) => <Fields {...props} />}
    />
  );
}

const salesforceFields = ["region", "phoneField", "marker", "streams", "streamsCa"] as const;

// An empty secret means: keep the stored one.
function bodyOf(value: Value): Partial<Value> {
  const needs = needsOf(value);
  const { name, kind, baseUrl, grant, allowPrivate } = value;
  const body: Partial<Value> = { name, kind, baseUrl: baseUrl.trim(), grant, allowPrivate };
  if (kind === "salesforce") for (const field of salesforceFields) body[field] = value[field].trim();
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
      {item ? (
        <TextInput label="Kind" variant="filled" readOnly value={kinds[value.kind]} />
      ) : (
        <NativeSelect label="Kind" data={Object.entries(kinds).map(([kind, label]) => ({ value: kind, label }))} value={value.kind} onChange={(event) => setKind(event.currentTarget.value as ConnectorKind)} />
      )}
      <TextInput
        label="Address"
        type="url"
        required
        withAsterisk={false}
        placeholder={value.kind === "salesforce" ? "https://yourcompany.my.salesforce.com" : "https://service.example.com"}
        value={value.baseUrl}
        onChange={(event) => set("baseUrl", event.currentTarget.value)}
      />
      <NativeSelect label="Signs in with" data={optionsOf(value.kind)} value={value.grant} onChange={(event) => set("grant", event.currentTarget.value as Grant)} />
      {needs.clientId && <TextInput label="Client ID" autoComplete="off" value={value.clientId} onChange={(event) => set("clientId", event.currentTarget.value)} />}
      {needs.username && <TextInput label="User name" autoComplete="off" value={value.username} onChange={(event) => set("username", event.currentTarget.value)} />}
      {warningOf(value) && (
        <div className={classes.result} data-note role="note" data-testid="connector-advice">
          <Icon name="alert" />
          <p className="small">{warningOf(value)}</p>
        </div>
      )}
      {needs.secrets.includes("privateKey") && (
        <Textarea
          label={secretNames.privateKey}
          description={item ? "Leave empty to keep the stored one." : "RSA, PEM form; its certificate is in the app's settings."}
          autosize
          minRows={3}
          maxRows={6}
          autoComplete="off"
          spellCheck={false}
          value={value.privateKey}
          onChange={(event) => set("privateKey", event.currentTarget.value)}
        />
      )}
      {needs.secrets.filter((secret) => secret !== "privateKey").map((secret) => (
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
        label="Allow private addresses"
        description="For a system in your own network. Otherwise the hub refuses to call private and loopback addresses."
        checked={value.allowPrivate}
        onChange={(event) => set("allowPrivate", event.currentTarget.checked)}
      />
      {value.kind === "salesforce" && <Details value={value} set={set} />}
      {item && item.kind === "salesforce" && <Status id={item.id} />}
      {item && item.kind === "salesforce" && item.grant === "refresh_token" && <Connect id={item.id} />}
      {item && <Test id={item.id} />}
    </>
  );
}

/** What most orgs need not set. */
function Details({ value, set }: Pick<FormProps<Connector, Value>, "value" | "set">) {
  const text = (name: (typeof salesforceFields)[number], label: string, description: string, placeholder: string) => (
    <TextInput label={label} description={description} placeholder={placeholder} autoComplete="off" value={value[name]} onChange={(event) => set(name, event.currentTarget.value)} />
  );
  return (
    <details>
      <summary className={classes.summary}>Phone numbers, markers and change events</summary>
      <div className={classes.more}>
        {text("region", "Default country", "Of phone numbers that records hold without a country code. Empty: the installation's.", "US")}
        {text("phoneField", "Field with E.164 numbers", "An external ID field, where the org has one. Write off for none.", "Phone_E164__c")}
        {text("marker", "Marker", "Comments carry a short marker, such as [ref:K3JX7Q2MPA], by which the hub finds them again after a lost answer. Write off for none: comments may then arrive twice.", "ref")}
        {text("streams", "Pub/Sub API", "Brings change events as they happen. Write off to compare every two minutes instead.", "api.pubsub.salesforce.com:7443")}
        <Textarea label="Certificate of the Pub/Sub API" description="PEM; only for an endpoint with a certificate of your own." autosize minRows={2} maxRows={4} spellCheck={false} value={value.streamsCa} onChange={(event) => set("streamsCa", event.currentTarget.value)} />
      </div>
    </details>
  );
}

/** What the org last said of its API requests. */
function Status({ id }: { id: string }) {
  const status = useQuery({ queryKey: ["/connectors", id, "status"], queryFn: () => get<ConnectorStatus>(`/connectors/${encodeURIComponent(id)}/status`), refetchInterval: 30_000 });
  const known = status.data;
  if (!known) return null;
  return (
    <div className={classes.notes} data-testid="connector-status">
      <div className={classes.meterLine}>
        <span>Signs in with, as saved</span>
        <Login kind="salesforce" grant={known.grant as Grant} />
      </div>
      {known.problem && <Note bad>{known.problem}</Note>}
      {known.limitsAt && <Requests status={known} />}
      {known.pausedUntil && <Note bad>{`The org refuses further API requests for now: write-backs wait until ${formatClock(known.pausedUntil)}, live calls try again sooner.`}</Note>}
      {!known.pausedUntil && known.tight && <Note>What is left of the API requests is kept for live calls; write-backs wait.</Note>}
    </div>
  );
}

function Note({ bad, children }: { bad?: boolean; children: string }) {
  return (
    <div className={classes.result} data-note={!bad || undefined}>
      <Icon name="alert" />
      <p className="small">{children}</p>
    </div>
  );
}

function Requests({ status }: { status: ConnectorStatus }) {
  const share = status.requestsMax > 0 ? (100 * status.requestsUsed) / status.requestsMax : 0;
  const text = `${status.requestsUsed.toLocaleString("en")} of ${status.requestsMax.toLocaleString("en")}`;
  return (
    <div>
      <div className={classes.meterLine}>
        <span>API requests, last 24 hours</span>
        <span className="num">{text}</span>
      </div>
      <Progress value={share} size="sm" color={status.tight || status.pausedUntil ? "amber" : undefined} aria-label={`API requests used: ${text}`} />
    </div>
  );
}

/** Signs in at Salesforce in the browser; it comes back to this page. */
function Connect({ id }: { id: string }) {
  const connect = useMutation({
    mutationFn: () => post<{ url: string }>(`/connectors/${encodeURIComponent(id)}/authorize`, { origin: window.location.origin }),
    onSuccess: ({ url }) => window.location.assign(url),
  });
  return (
    <div className={classes.stack}>
      <Button variant="default" leftSection={<Icon name="plug" />} loading={connect.isPending} onClick={() => connect.mutate()} data-testid="connector-connect">
        Connect at Salesforce
      </Button>
      <p className="muted small">
        Save first. The app's callback URL is <span className="mono">{`${window.location.origin}/oauth/callback`}</span>
      </p>
      {connect.error && <p role="alert">{messageOf(connect.error)}</p>}
    </div>
  );
}

/** How the sign-in in the browser went, once, after it led back here. */
function Connected() {
  const query = new URLSearchParams(window.location.search);
  const outcome = query.get("connect");
  if (!outcome) return null;
  return (
    <div className={classes.result} data-ok={outcome === "ok"} role="status" data-testid="connector-connected">
      <Icon name={outcome === "ok" ? "check" : "alert"} />
      <p>{outcome === "ok" ? "The connector is connected: it renews its session by itself from now on." : (query.get("reason") ?? "The sign-in failed: begin again.")}</p>
    </div>
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
