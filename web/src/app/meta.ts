/** What the server wrote into a meta element of the page; empty when it is absent or was not filled in. */
export function meta(name: string): string {
  const content = document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? "";
  return content.startsWith("__") ? "" : content;
}
