import { ActionIcon, Button, Checkbox, Menu, PasswordInput, Switch, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { patch, post } from "../api/client";
import { useAll } from "../api/lists";
import type { Role, User } from "../api/types";
import { DataTable, type Column } from "../ui/DataTable";
import { Icon } from "../ui/Icon";
import { Page } from "../ui/Page";
import { Loaded } from "../ui/States";
import { Pill } from "../ui/Status";
import { toastDone, toastFailed } from "../ui/toast";
import { roleNames } from "../ui/words";
import { FormDialog } from "./FormDialog";

const USERS = "/users";
const userPath = (id: string) => `${USERS}/${encodeURIComponent(id)}`;

const roles: { value: Role; label: string; description: string }[] = [
  { value: "agent", label: "Agent", description: "Takes calls at the desk." },
  { value: "supervisor", label: "Supervisor", description: "Watches the live view, contacts and flows." },
  { value: "admin", label: "Administrator", description: "Sets everything up." },
];

type Dialog = { kind: "new" } | { kind: "edit" | "password"; user: User };

/** Who may sign in, as what. */
export function UsersPage() {
  const users = useAll<User>(USERS);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const change = useChange();
  const columns: Column<User>[] = [
    { label: "Name", cell: (user) => <strong>{user.name}</strong> },
    { label: "Login", cell: (user) => user.login },
    { label: "Roles", cell: (user) => roleNames(user.roles) },
    { label: "State", cell: (user) => <UserState user={user} /> },
    {
      label: "Actions",
      hideLabel: true,
      numeric: true,
      cell: (user) => (
        <UserActions
          user={user}
          open={setDialog}
          toggle={() => change.mutate({ run: () => patch(userPath(user.id), { disabled: !user.disabled }), done: `${user.name} is ${user.disabled ? "enabled" : "disabled"}.` })}
          unlock={() => change.mutate({ run: () => post(`${userPath(user.id)}/unlock`), done: `${user.name} can sign in again.` })}
        />
      ),
    },
  ];
  return (
    <Page
      title="Users"
      lead="Who may sign in, and what they may do."
      actions={
        <Button leftSection={<Icon name="plus" />} onClick={() => setDialog({ kind: "new" })} data-testid="add">
          New user
        </Button>
      }
    >
      <section className="panel" aria-label="Users">
        <Loaded query={users}>{(rows) => <DataTable caption="Users" columns={columns} rows={rows} rowKey={(user) => user.id} />}</Loaded>
      </section>
      {dialog?.kind === "new" && <NewUser close={() => setDialog(null)} />}
      {dialog?.kind === "edit" && <EditUser user={dialog.user} close={() => setDialog(null)} />}
      {dialog?.kind === "password" && <ResetPassword user={dialog.user} close={() => setDialog(null)} />}
    </Page>
  );
}

function useChange() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ run }: { run: () => Promise<unknown>; done: string }) => run(),
    onSuccess: async (_, { done }) => {
      await queries.invalidateQueries({ queryKey: [USERS] });
      toastDone(done);
    },
    onError: toastFailed,
  });
}

const isLocked = (user: User) => Boolean(user.locked || (user.lockedUntil && Date.parse(user.lockedUntil) > Date.now()));

function UserState({ user }: { user: User }) {
  if (user.disabled) return <Pill tone="bad">Disabled</Pill>;
  if (isLocked(user)) return <Pill tone="warn">Locked after wrong passwords</Pill>;
  return <Pill tone="good">Active</Pill>;
}

interface ActionProps {
  user: User;
  open: (dialog: Dialog) => void;
  toggle: () => void;
  unlock: () => void;
}

function UserActions({ user, open, toggle, unlock }: ActionProps) {
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${user.name}`}>
          <Icon name="more" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => open({ kind: "edit", user })}>Change name and roles</Menu.Item>
        <Menu.Item onClick={() => open({ kind: "password", user })}>Set a new password</Menu.Item>
        {isLocked(user) && <Menu.Item onClick={unlock}>Unlock</Menu.Item>}
        <Menu.Item color={user.disabled ? undefined : "red"} onClick={toggle}>
          {user.disabled ? "Enable" : "Disable"}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function RolesField({ value, set }: { value: Role[]; set: (roles: Role[]) => void }) {
  return (
    <Checkbox.Group label="Roles" value={value} onChange={(next) => set(next as Role[])}>
      {roles.map((role) => (
        <Checkbox key={role.value} mt="xs" value={role.value} label={role.label} description={role.description} />
      ))}
    </Checkbox.Group>
  );
}

function NewUser({ close }: { close: () => void }) {
  const change = useChange();
  const [user, setUser] = useState({ login: "", name: "", password: "", roles: ["agent"] as Role[] });
  const body = { ...user, agent: user.roles.includes("agent") };
  return (
    <FormDialog title="New user" action="Create the user" close={close} run={() => change.mutateAsync({ run: () => post(USERS, body), done: `${user.name} can sign in now.` })}>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={user.name} onChange={(event) => setUser({ ...user, name: event.currentTarget.value })} />
      <TextInput label="Login" required withAsterisk={false} autoComplete="off" autoCapitalize="none" value={user.login} onChange={(event) => setUser({ ...user, login: event.currentTarget.value })} />
      <PasswordInput label="First password" description="The person can change it after signing in." required withAsterisk={false} autoComplete="new-password" value={user.password} onChange={(event) => setUser({ ...user, password: event.currentTarget.value })} />
      <RolesField value={user.roles} set={(next) => setUser({ ...user, roles: next })} />
    </FormDialog>
  );
}

function EditUser({ user, close }: { user: User; close: () => void }) {
  const change = useChange();
  const [value, setValue] = useState({ name: user.name, roles: user.roles ?? [], disabled: Boolean(user.disabled) });
  return (
    <FormDialog title={user.name} action="Save" close={close} run={() => change.mutateAsync({ run: () => patch(userPath(user.id), value), done: `${value.name} is saved.` })}>
      <TextInput label="Name" required withAsterisk={false} data-autofocus value={value.name} onChange={(event) => setValue({ ...value, name: event.currentTarget.value })} />
      <RolesField value={value.roles} set={(next) => setValue({ ...value, roles: next })} />
      <Switch label="Disabled" description="Cannot sign in; open sessions end." checked={value.disabled} onChange={(event) => setValue({ ...value, disabled: event.currentTarget.checked })} />
    </FormDialog>
  );
}

function ResetPassword({ user, close }: { user: User; close: () => void }) {
  const change = useChange();
  const [password, setPassword] = useState("");
  return (
    <FormDialog title={`New password for ${user.name}`} action="Set the password" close={close} run={() => change.mutateAsync({ run: () => post(`${userPath(user.id)}/password`, { new: password }), done: `${user.name} has a new password.` })}>
      <PasswordInput label="New password" required withAsterisk={false} data-autofocus autoComplete="new-password" value={password} onChange={(event) => setPassword(event.currentTarget.value)} />
    </FormDialog>
  );
}
