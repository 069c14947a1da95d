import { Button } from "@mantine/core";
import { Link, useRouter, type ErrorComponentProps } from "@tanstack/react-router";
import { Empty, Failure, ListSkeleton } from "../ui/States";

export function NotFound() {
  return (
    <main>
      <h1 className="sr-only">Not found</h1>
      <Empty
        icon="search"
        title="There is no such page"
        action={
          <Button renderRoot={(props) => <Link to="/" {...props} />} variant="default" size="xs">
            Go to the start page
          </Button>
        }
      >
        The address may be old or mistyped.
      </Empty>
    </main>
  );
}

export function PageFailure({ error }: ErrorComponentProps) {
  const router = useRouter();
  return <Failure error={error} retry={() => void router.invalidate()} />;
}

export function PagePending() {
  return <ListSkeleton rows={8} />;
}
