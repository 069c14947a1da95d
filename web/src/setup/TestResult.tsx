import type { ReactNode } from "react";
import { messageOf } from "../api/client";
import { Icon } from "../ui/Icon";
import classes from "./Setup.module.css";

interface Props {
  /** What the test showed; undefined before the first one. */
  result: { ok: boolean; message: string } | undefined;
  error: Error | null;
  testId: string;
  children?: ReactNode;
}

/** What a test button brought, in words. */
export function TestResult({ result, error, testId, children }: Props) {
  return (
    <div role="status">
      {result && (
        <div className={classes.result} data-ok={result.ok} data-testid={testId}>
          <Icon name={result.ok ? "check" : "alert"} />
          <div>
            <p>
              <strong>{result.message}</strong>
            </p>
            {children}
          </div>
        </div>
      )}
      {error && (
        <div className={classes.result}>
          <Icon name="alert" />
          <p>{messageOf(error)}</p>
        </div>
      )}
    </div>
  );
}
