import { Alert, Button, FileButton, Modal, TextInput, Textarea } from "@mantine/core";
import { useNavigate } from "@tanstack/react-router";
import { useState, type DragEvent, type FormEvent } from "react";
import { messageOf } from "../api/client";
import { Icon } from "../ui/Icon";
import { useImport } from "./api";
import classes from "./Flows.module.css";

interface Props {
  opened: boolean;
  close: () => void;
  /** Adds a version to this flow. */
  flow?: { id: string; name: string };
}

const nameFrom = (fileName: string) => fileName.replace(/\.[^.]+$/, "").replace(/[_-]+/g, " ").trim();

/** Takes a flow file by drop, by choice or by paste, and shows what was understood of it. */
export function ImportDialog({ opened, close, flow }: Props) {
  const [name, setName] = useState("");
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const load = useImport();
  const navigate = useNavigate();

  const done = () => {
    setName("");
    setText("");
    setProblem("");
    load.reset();
    close();
  };
  const take = async (file: File | null) => {
    if (!file) return;
    try {
      setText(await file.text());
      setName((known) => known || nameFrom(file.name));
      setProblem("");
    } catch {
      setProblem("The file could not be read.");
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    load.mutate(
      { name: flow?.name ?? name.trim(), text, flowId: flow?.id },
      {
        onSuccess: (imported) => {
          done();
          void navigate({ to: "/flows/$id", params: { id: imported.id } });
        },
      },
    );
  };
  return (
    <Modal opened={opened} onClose={done} size="lg" title={flow ? `New version of ${flow.name}` : "Import a flow"} closeButtonProps={{ "aria-label": "Close" }}>
      <form className={classes.form} onSubmit={submit}>
        <DropZone take={take} />
        <Textarea label="Or paste the file's text" classNames={{ input: "mono" }} minRows={5} maxRows={12} autosize value={text} onChange={(event) => setText(event.currentTarget.value)} data-testid="flow-text" />
        {!flow && <TextInput label="Name" required withAsterisk={false} value={name} onChange={(event) => setName(event.currentTarget.value)} data-testid="flow-name" />}
        {(problem || load.error) && (
          <Alert color="red" icon={<Icon name="alert" />} role="alert">
            {problem || messageOf(load.error)}
          </Alert>
        )}
        <div className={classes.buttons}>
          <Button type="submit" loading={load.isPending} disabled={text.trim() === ""} data-testid="flow-import">
            Import
          </Button>
        </div>
      </form>
    </Modal>
  );
}

function DropZone({ take }: { take: (file: File | null) => Promise<void> }) {
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(event.dataTransfer.files[0] ?? null);
  };
  return (
    <div
      className={classes.drop}
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Icon name="upload" size={22} />
      <p>Drop a flow file here: a Webex Contact Center or an Amazon Connect export.</p>
      <FileButton accept=".json,.yaml,.yml,application/json" onChange={(file) => void take(file)}>
        {(props) => (
          <Button {...props} variant="default" size="xs">
            Choose a file
          </Button>
        )}
      </FileButton>
    </div>
  );
}
