import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import type { Session } from "../api/types";
import { readFilter } from "../contacts/filter";
import { NotFound, PageFailure, PagePending } from "./fallback";
import { homeOf, isAgent, isLead, loadSession } from "./session";
import { Shell } from "./Shell";
import { SignIn } from "./SignIn";

interface Context {
  queries: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ notFoundComponent: NotFound, errorComponent: PageFailure });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { to?: string } =>
    typeof search.to === "string" && search.to.startsWith("/") && !search.to.startsWith("//") ? { to: search.to } : {},
  component: SignIn,
});

const inside = createRoute({
  getParentRoute: () => root,
  id: "in",
  beforeLoad: async ({ context, location }): Promise<{ session: Session }> => {
    const session = await loadSession(context.queries);
    if (!session) throw redirect({ to: "/login", search: location.pathname === "/" ? {} : { to: location.href } });
    return { session };
  },
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => inside,
  path: "/",
  beforeLoad: ({ context }) => {
    throw redirect({ to: homeOf(context.session), replace: true });
  },
});

const desk = createRoute({
  getParentRoute: () => inside,
  path: "/desk",
  beforeLoad: ({ context }) => {
    if (!isAgent(context.session)) throw redirect({ to: "/live" });
  },
  component: lazyRouteComponent(() => import("../desk/DeskPage"), "DeskPage"),
});

// Everything but the desk is for supervisors and administrators.
const lead = createRoute({
  getParentRoute: () => inside,
  id: "lead",
  beforeLoad: ({ context }) => {
    if (!isLead(context.session)) throw redirect({ to: "/desk" });
  },
});

const live = createRoute({
  getParentRoute: () => lead,
  path: "/live",
  component: lazyRouteComponent(() => import("../live/LivePage"), "LivePage"),
});

const contacts = createRoute({
  getParentRoute: () => lead,
  path: "/contacts",
  validateSearch: readFilter,
  component: lazyRouteComponent(() => import("../contacts/ContactsPage"), "ContactsPage"),
});

const contact = createRoute({
  getParentRoute: () => lead,
  path: "/contacts/$id",
  component: lazyRouteComponent(() => import("../contacts/ContactPage"), "ContactPage"),
});

const flows = createRoute({
  getParentRoute: () => lead,
  path: "/flows",
  component: lazyRouteComponent(() => import("../flows/FlowsPage"), "FlowsPage"),
});

const flow = createRoute({
  getParentRoute: () => lead,
  path: "/flows/$id",
  validateSearch: (search: Record<string, unknown>): { version?: number } => {
    const version = Number(search.version);
    return Number.isInteger(version) && version > 0 ? { version } : {};
  },
  component: lazyRouteComponent(() => import("../flows/FlowPage"), "FlowPage"),
});

// Setting up and operating the hub is for administrators.
const admin = createRoute({
  getParentRoute: () => lead,
  id: "admin",
  beforeLoad: ({ context }) => {
    if (!context.session.user.roles.includes("admin")) throw redirect({ to: "/live" });
  },
});

const entryPoints = createRoute({
  getParentRoute: () => admin,
  path: "/entry-points",
  component: lazyRouteComponent(() => import("../setup/EntryPointsPage"), "EntryPointsPage"),
});

const queues = createRoute({
  getParentRoute: () => admin,
  path: "/queues",
  component: lazyRouteComponent(() => import("../setup/QueuesPage"), "QueuesPage"),
});

const codes = createRoute({
  getParentRoute: () => admin,
  path: "/codes",
  component: lazyRouteComponent(() => import("../setup/CodesPage"), "CodesPage"),
});

const connectors = createRoute({
  getParentRoute: () => admin,
  path: "/connectors",
  component: lazyRouteComponent(() => import("../setup/ConnectorsPage"), "ConnectorsPage"),
});

const hours = createRoute({
  getParentRoute: () => admin,
  path: "/hours",
  component: lazyRouteComponent(() => import("../setup/HoursPage"), "HoursPage"),
});

const functions = createRoute({
  getParentRoute: () => admin,
  path: "/functions",
  component: lazyRouteComponent(() => import("../setup/FunctionsPage"), "FunctionsPage"),
});

const users = createRoute({
  getParentRoute: () => admin,
  path: "/users",
  component: lazyRouteComponent(() => import("../setup/UsersPage"), "UsersPage"),
});

const keys = createRoute({
  getParentRoute: () => admin,
  path: "/keys",
  component: lazyRouteComponent(() => import("../setup/KeysPage"), "KeysPage"),
});

const audit = createRoute({
  getParentRoute: () => admin,
  path: "/audit",
  component: lazyRouteComponent(() => import("../ops/AuditPage"), "AuditPage"),
});

const jobs = createRoute({
  getParentRoute: () => admin,
  path: "/jobs",
  component: lazyRouteComponent(() => import("../ops/JobsPage"), "JobsPage"),
});

const system = createRoute({
  getParentRoute: () => admin,
  path: "/system",
  component: lazyRouteComponent(() => import("../ops/SystemPage"), "SystemPage"),
});

const setUpAndOperate = admin.addChildren([entryPoints, queues, codes, hours, connectors, functions, users, keys, audit, jobs, system]);
const routes = root.addChildren([signIn, inside.addChildren([home, desk, lead.addChildren([live, contacts, contact, flows, flow, setUpAndOperate])])]);

export function newRouter(queries: QueryClient) {
  return createRouter({
    routeTree: routes,
    context: { queries },
    defaultPreload: "intent",
    defaultPendingComponent: PagePending,
    defaultErrorComponent: PageFailure,
    scrollRestoration: false,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof newRouter>;
  }
}
