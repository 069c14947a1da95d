package connect_test

import (
	"strings"
	"testing"

	"github.com/tandemcc/tandem/internal/flow"
	"github.com/tandemcc/tandem/internal/flow/connect"
)

const yamlTemplate = `AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Greeting: {Type: String}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
  Main:
    Type: AWS::Connect::ContactFlow
    Properties:
      Name: !Sub "${Stage}-main"
      Type: CONTACT_FLOW
      InstanceArn: !Ref Instance
      Content: !Sub |
        {"Version":"2019-10-30","StartAction":"a","Actions":[
          {"Identifier":"a","Type":"InvokeLambdaFunction","Parameters":{"LambdaFunctionARN":"${Lookup.Arn}"},"Transitions":{"NextAction":"b","Errors":[{"NextAction":"b","ErrorType":"NoMatchingError"}]}},
          {"Identifier":"b","Type":"DisconnectParticipant","Parameters":{},"Transitions":{}}]}
`

const jsonTemplate = `{"Resources":{"M":{"Type":"AWS::Connect::ContactFlowModule","Properties":{"Name":"look up","Content":{"Fn::Join":["",[
	"{\"Version\":\"2019-10-30\",\"StartAction\":\"a\",\"Actions\":[{\"Identifier\":\"a\",\"Type\":\"InvokeLambdaFunction\",\"Parameters\":{\"LambdaFunctionARN\":\"",
	{"Fn::GetAtt":["Lookup","Arn"]},"\"},\"Transitions\":{}}]}"]]}}}}}`

// A CloudFormation template with one flow is that flow; what it fills in is a reference.
func TestTemplates(t *testing.T) {
	for text, name := range map[string]string{yamlTemplate: "${Stage}-main", jsonTemplate: "look up"} {
		f, rep := imported(t, []byte(text))
		if rep.Format != "connect" || f.Name != name {
			t.Errorf("%s: %s %q", name, rep.Format, f.Name)
		}
		found := false
		for _, u := range rep.Unresolved {
			found = found || u.ID == "${Lookup.Arn}"
		}
		if !found {
			t.Errorf("%s: unresolved %+v", name, rep.Unresolved)
		}
		out, losses, err := connect.Exporter{}.Export(f)
		if err != nil || len(losses) > 0 || !strings.Contains(string(out), "${Lookup.Arn}") {
			t.Errorf("%s: %v, %v, %s", name, err, losses, out)
		}
	}
}

// What a template holds besides one flow is said in one line.
func TestTemplatesThatAreNoFlow(t *testing.T) {
	two := strings.Replace(yamlTemplate, "  Bucket:\n    Type: AWS::S3::Bucket\n", "  Other:\n    Type: AWS::Connect::ContactFlow\n    Properties: {Name: other, Content: \"{}\"}\n", 1)
	for text, want := range map[string]string{
		two: "2 flows (${Stage}-main, other)",
		strings.ReplaceAll(yamlTemplate, "AWS::Connect::ContactFlow", "AWS::Connect::Queue") + "# AWS::Connect::ContactFlow\n": "holds no flow",
		"Resources: {M: {Type: 'AWS::Connect::ContactFlow', Properties: {Content: 'x'}}}":                                      "is not JSON",
		"Resources: [AWS::Connect::ContactFlow": "neither JSON nor YAML",
	} {
		_, _, err := flow.Registry{connect.Importer{}, connect.LegacyImporter{}}.Import([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
