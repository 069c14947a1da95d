import { Alert, Button, PasswordInput, TextInput, Title } from "@mantine/core";
import { useRouter, useSearch } from "@tanstack/react-router";
import { useEffect, useState, type FormEvent } from "react";
import { messageOf } from "../api/client";
import { Icon } from "../ui/Icon";
import { Logo } from "./Logo";
import classes from "./SignIn.module.css";
import { useSignIn } from "./session";

/** The sign-in page; goes on to where the person wanted to go. */
export function SignIn() {
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  const router = useRouter();
  const { to } = useSearch({ from: "/login" });
  useEffect(() => {
    document.title = "Sign in · Tandem";
  }, []);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate(
      { login, password },
      { onSuccess: () => router.history.push(to ?? "/"), onError: () => setPassword("") },
    );
  };

  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit}>
        <Logo size={40} />
        <Title order={1}>Sign in to Tandem</Title>
        <p className={classes.lead}>The contact centre and the CRM, side by side.</p>
        {signIn.error && (
          <Alert color="red" icon={<Icon name="alert" />} role="alert" mb="md">
            {messageOf(signIn.error)}
          </Alert>
        )}
        <TextInput
          label="Login"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          autoFocus
          required
          withAsterisk={false}
          value={login}
          onChange={(event) => setLogin(event.currentTarget.value)}
          data-testid="login"
        />
        <PasswordInput
          label="Password"
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          mt="sm"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password", tabIndex: 0 }}
          data-testid="password"
        />
        <Button type="submit" fullWidth mt="lg" loading={signIn.isPending} data-testid="sign-in">
          Sign in
        </Button>
      </form>
    </main>
  );
}
