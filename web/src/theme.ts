import { createTheme, type CSSVariablesResolver, type MantineColorsTuple } from "@mantine/core";

const tandem: MantineColorsTuple = [
  "#eef2ff", "#dfe6fd", "#bccaf9", "#9bb0f6", "#7d96f1", "#5d7ced", "#4668e0", "#2f55c8", "#2847ab", "#213b8f",
];
const green: MantineColorsTuple = [
  "#e9f7ef", "#d3eede", "#a9ddbf", "#7fcba0", "#4cb67c", "#2b9c62", "#1d8450", "#1a7547", "#15613b", "#104d2f",
];
const red: MantineColorsTuple = [
  "#fdeeef", "#fadadd", "#f4b4ba", "#f08f98", "#ea6c78", "#de4a59", "#d03545", "#b82a3a", "#9b2230", "#7f1b27",
];
const amber: MantineColorsTuple = [
  "#fdf4e3", "#fae7c3", "#f5d08b", "#efb753", "#e6a22e", "#c98412", "#a86200", "#8f5600", "#764700", "#5e3900",
];
const dark: MantineColorsTuple = [
  "#e6e9ee", "#c6ccd6", "#a9b2bf", "#7f8998", "#3d4553", "#2e3541", "#212630", "#191d25", "#12151b", "#0d0f14",
];

export const theme = createTheme({
  colors: { tandem, green, red, amber, dark },
  primaryColor: "tandem",
  primaryShade: { light: 7, dark: 6 },
  defaultRadius: "md",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif',
  fontFamilyMonospace: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  fontSizes: { xs: "0.75rem", sm: "0.8125rem", md: "0.875rem", lg: "1rem", xl: "1.125rem" },
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.375rem", lineHeight: "1.3" }, h2: { fontSize: "1rem", lineHeight: "1.4" }, h3: { fontSize: "0.875rem", lineHeight: "1.4" } },
  },
  focusRing: "auto",
  cursorType: "pointer",
  respectReducedMotion: true,
});

const surfaces = {
  "--mantine-color-body": "var(--surface)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--muted)",
  "--mantine-color-placeholder": "var(--faint)",
  "--mantine-color-default-border": "var(--border-strong)",
  "--mantine-color-error": "var(--bad)",
  "--mantine-color-anchor": "var(--link)",
  "--mantine-color-red-light-color": "var(--bad)",
  "--mantine-color-green-light-color": "var(--good)",
  "--mantine-color-amber-light-color": "var(--warn)",
  "--mantine-color-tandem-light-color": "var(--link)",
};

/** Mantine's own surfaces take the colours of styles.css, so that there is one palette. Mantine sets them per scheme. */
export const cssVariables: CSSVariablesResolver = () => ({ variables: {}, light: surfaces, dark: surfaces });
