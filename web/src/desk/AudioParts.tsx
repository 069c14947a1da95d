/** What broke, and that it is being mended. */
export function Failing({ message }: { message: string }) {
  return (
    <p role="status">
      {message} <span className="muted">Trying again by itself.</span>
    </p>
  );
}
