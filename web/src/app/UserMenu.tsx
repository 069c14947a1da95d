import { Menu, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, post } from "../api/client";
import { Icon } from "../ui/Icon";
import { toastFailed } from "../ui/toast";
import { roleNames } from "../ui/words";
import { deskOnCall } from "./deskState";
import { PasswordDialog } from "./PasswordDialog";
import { forgetSession, isAgent, useSession } from "./session";
import classes from "./UserMenu.module.css";

/** Who is signed in, the colour scheme, the password and the way out. */
export function UserMenu() {
  const session = useSession();
  const [changing, dialog] = useDisclosure(false);
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const signOut = useSignOut();
  const { user } = session;
  return (
    <>
      <Menu position="top-end" width={220} shadow="md">
        <Menu.Target>
          <UnstyledButton className={classes.button}>
            <span className={classes.avatar} aria-hidden="true">
              {initials(user.name || user.login)}
            </span>
            <span className={classes.name}>
              <span>{user.name || user.login}</span>{" "}
              <span className={classes.roles}>{roleNames(user.roles)}</span>
            </span>
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name={scheme === "dark" ? "sun" : "moon"} />} onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}>
            {scheme === "dark" ? "Light colours" : "Dark colours"}
          </Menu.Item>
          <Menu.Item leftSection={<Icon name="key" />} onClick={dialog.open}>
            Change password
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item leftSection={<Icon name="signOut" />} onClick={() => void signOut()} data-testid="sign-out">
            Sign out
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <PasswordDialog opened={changing} close={dialog.close} />
    </>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters.map((word) => word?.charAt(0).toUpperCase() ?? "").join("");
}

// Signing out takes an agent offline first, so that no call is offered to an empty desk.
function useSignOut() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const session = useSession();
  return async () => {
    try {
      if (deskOnCall(queries)) throw new Error("You are on a call. End it before you sign out.");
      if (isAgent(session)) await post("/desk/state", { state: "offline" });
      await api<void>("DELETE", "/session");
    } catch (error) {
      toastFailed(error);
      return;
    }
    await navigate({ to: "/login" });
    forgetSession(queries);
  };
}
