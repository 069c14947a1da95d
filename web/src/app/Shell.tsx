import { ActionIcon, Drawer } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { Icon } from "../ui/Icon";
import { ToastCorner } from "../ui/toast";
import { Logo } from "./Logo";
import { navOf } from "./nav";
import { useSession, isLead } from "./session";
import classes from "./Shell.module.css";
import { UserMenu } from "./UserMenu";

/** The frame of every signed-in page: navigation on the left for those who have more than the desk. */
export function Shell() {
  const session = useSession();
  const withNav = isLead(session);
  return (
    <div className={classes.shell} data-nav={withNav || undefined}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      {withNav ? <Side /> : <AgentBar />}
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <ToastCorner />
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className={classes.brand}>
      <Logo size={26} />
      <span>Tandem</span>
    </Link>
  );
}

function AgentBar() {
  return (
    <nav className={classes.bar} aria-label="Account">
      <Brand />
      <UserMenu />
    </nav>
  );
}

function Side() {
  const [opened, menu] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  useEffect(() => menu.close(), [path, menu.close]);
  return (
    <nav className={classes.side} aria-label="Pages">
      <ActionIcon className={classes.burger} variant="subtle" color="gray" size="lg" aria-label="Open the menu" onClick={menu.open}>
        <Icon name="menu" size={20} />
      </ActionIcon>
      <Brand />
      <div className={classes.sideNav}>
        <Navigation />
      </div>
      <UserMenu />
      <Drawer opened={opened} onClose={menu.close} size={260} title="Tandem" closeButtonProps={{ "aria-label": "Close the menu" }}>
        <nav aria-label="Menu">
          <Navigation />
        </nav>
      </Drawer>
    </nav>
  );
}

function Navigation() {
  const session = useSession();
  return (
    <div className={classes.nav}>
      {navOf(session).map((group) => (
        <div key={group.label} className={classes.group}>
          <p className={classes.groupLabel}>{group.label}</p>
          <ul>
            {group.items.map((item) => (
              <li key={item.to}>
                <Link to={item.to} className={classes.link}>
                  <Icon name={item.icon} size={17} />
                  {item.label}
                </Link>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </div>
  );
}
