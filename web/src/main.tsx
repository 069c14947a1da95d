import "@mantine/core/styles.css";
import "./styles.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError, setSignedOutHandler } from "./api/client";
import { meta } from "./app/meta";
import { newRouter } from "./app/router";
import { forgetSession } from "./app/session";
import { cssVariables, theme } from "./theme";

const MAX_RETRIES = 2;

// Style elements made at run time carry the nonce of this page's policy.
const nonce = meta("csp-nonce");
setNonce(nonce);

const queries = new QueryClient({
  defaultOptions: {
    // The hub may run on this very computer, which browsers call offline when its network is down.
    mutations: { networkMode: "always" },
    queries: {
      networkMode: "always",
      staleTime: 5_000,
      // A refusal stays a refusal; only silence and overload are worth another try.
      retry: (count, error) => count < MAX_RETRIES && error instanceof ApiError && (error.status === 0 || error.status >= 500),
    },
  },
});
const router = newRouter(queries);

setSignedOutHandler(() => {
  forgetSession(queries);
  void router.navigate({ to: "/login", search: { to: router.state.location.href } });
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <QueryClientProvider client={queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
