package connect

import (
	"cmp"
	"strings"

	"github.com/tandemcc/tandem/internal/flow"
)

// queueOf reads the queue that an action names, if any.
func (a *action) queueOf() {
	a.n.In["queue"] = a.dyn("QueueId")
	name := ""
	if a.n.In["queue"].Src == "" {
		name = a.shown("QueueId", "queue")
	}
	a.n.In["queueName"] = flow.Lit(name)
	a.ref(flow.RefQueue, a.n.In["queue"], name)
}

func targetQueue(a *action) how {
	a.n.Op = flow.OpSetQueue
	if a.params.has("AgentId") {
		a.n.In["agent"] = a.dyn("AgentId")
		return mapped
	}
	a.queueOf()
	return mapped
}

func toQueue(a *action) how {
	a.n.Op = flow.OpQueue
	a.n.In["hook"] = flow.Lit("CustomerQueue")
	return mapped
}

func routing(a *action) how {
	a.n.Op = flow.OpRouting
	a.n.In["priority"] = a.dyn("QueuePriority")
	a.n.In["adjustSeconds"] = a.dyn("QueueTimeAdjustmentSeconds")
	return mapped
}

// criteria are agents' skills. They are kept, and the contact waits for any agent of its queue, as it does in Amazon Connect
// when every step has expired.
func criteria(a *action) how {
	a.n.Op = flow.OpPass
	return approximated
}

// playedHooks are the hooks whose flows run here.
var playedHooks = map[string]bool{"CustomerQueue": true, "CustomerRemaining": true}

func hooks(a *action) how {
	a.n.Op = flow.OpHooks
	o := a.params.obj("EventHooks")
	a.n.In["hooks"] = values(o, "Parameters.EventHooks")
	h := mapped
	for _, name := range o.names() {
		a.ref(flow.RefFlow, a.n.In["hooks"].Map[name], a.shown("EventHooks", "contactFlow", "ContactFlow"))
		if !playedHooks[name] {
			h = approximated
		}
	}
	return h
}

func thirdParty(a *action) how {
	a.n.Op = flow.OpTransfer
	in := a.n.In
	in["number"] = a.dyn("ThirdPartyPhoneNumber")
	in["callerId"] = flow.Dynamic(a.params.obj("CallerId").text("Number"), "Parameters.CallerId.Number")
	in["sendDigits"] = a.dyn("ThirdPartyDTMFDigits")
	if v, ok := millis(a.params, "ThirdPartyConnectionTimeLimitSeconds", "Parameters.ThirdPartyConnectionTimeLimitSeconds"); ok {
		in["timeoutMS"] = v
	}
	if a.params.flag("ContinueFlowExecution") {
		in["bridged"] = flow.Lit(true)
	}
	return mapped
}

// hours asks for the hours of operation that are named, else for that of the chosen queue.
func hours(a *action) how {
	a.n.Op = flow.OpHours
	id := a.dyn("HoursOfOperationId")
	a.n.In["hours"] = id
	name := ""
	if id.Src == "" {
		name = a.shown("HoursOfOperationId", "Hours", "hours")
	}
	a.n.In["hoursName"] = flow.Lit(name)
	a.ref(flow.RefHours, id, name)
	if !a.params.has("HoursOfOperationId") {
		a.n.In["params"] = flow.Value{Map: map[string]flow.Value{"queueBound": flow.Dynamic("$.Queue.Bound", ""), "queue": flow.Dynamic("$.Queue.ARN", ""), "queueName": flow.Dynamic("$.Queue.Name", "")}}
	}
	return mapped
}

func metric(a *action) how {
	a.n.Op = flow.OpMetric
	a.queueOf()
	if a.typ == "CheckMetricData" {
		a.n.In["metric"] = a.dyn("MetricType")
	}
	if a.params.has("AgentId") {
		return approximated // the figures are those of the queue
	}
	return mapped
}

func callback(a *action) how {
	a.n.Op = flow.OpCallback
	in := a.n.In
	in["number"] = flow.Dynamic("$.CustomerCallBackPhoneNumber", "")
	in["queue"] = flow.Dynamic("$.Queue.ARN", "")
	if a.params.has("QueueId") {
		in["queue"] = a.dyn("QueueId")
		a.ref(flow.RefQueue, in["queue"], a.shown("QueueId", "queue"))
	}
	in["delaySeconds"], in["retrySeconds"], in["attempts"] = a.lit("InitialCallDelaySeconds"), a.lit("RetryDelaySeconds"), a.lit("MaximumConnectionAttempts")
	return mapped
}

func callbackNumber(a *action) how {
	a.n.Op = flow.OpSet
	item := set("$CallbackNumber", a.dyn("CallbackNumber"))
	item.Map["check"] = flow.Lit("InvalidCallbackNumber")
	a.n.In["sets"] = flow.Value{List: []flow.Value{item}}
	return mapped
}

// mediaStreaming reads where the audio is to go, which the hub is asked to do.
func mediaStreaming(a *action) how {
	a.n.Op = flow.OpStream
	a.n.In["params"] = flow.Value{Map: map[string]flow.Value{"state": a.dyn("MediaStreamingState"), "sink": a.dyn("MediaStreamType")}}
	return approximated
}

// view reads a page for the agent or the caller, which the hub is asked to show.
func view(a *action) how {
	a.n.Op = flow.OpView
	res := a.params.obj("ViewResource")
	id := flow.Dynamic(res.text("Id"), "Parameters.ViewResource."+res.key("Id"))
	a.n.In["view"] = id
	name := a.shown("ViewResource", "viewName", "view")
	a.n.In["viewName"] = flow.Lit(name)
	a.n.In["params"] = values(a.params.obj("ViewData"), "Parameters.ViewData")
	return approximated
}

// task reads a task that is made for somebody, which the hub is asked to do.
func task(a *action) how {
	a.n.Op = flow.OpTask
	a.n.In["flow"] = a.dyn("ContactFlowId")
	name := a.shown("ContactFlowId", "contactFlow", "ContactFlow")
	a.n.In["flowName"] = flow.Lit(name)
	a.ref(flow.RefFlow, a.n.In["flow"], name)
	params := values(a.params.obj("Attributes"), "Parameters.Attributes")
	for _, key := range []string{"Name", "Description", "TaskTemplateId"} {
		if a.params.has(key) {
			params.Map[strings.ToLower(key[:1])+key[1:]] = a.dyn(key)
		}
	}
	a.n.In["params"] = params
	return approximated
}

// bot reads a dialogue with Amazon Lex; which platform answers is the driver's to say.
func bot(a *action) how {
	a.n.Op = flow.OpBot
	v2, v1 := a.params.obj("LexV2Bot"), a.params.obj("LexBot")
	id := flow.Dynamic(v2.text("AliasArn"), "Parameters.LexV2Bot.AliasArn")
	name := cmp.Or(a.meta.text("lexV2BotName"), v1.text("Name"))
	if v2 == nil {
		id = flow.Dynamic(v1.text("Name"), "Parameters.LexBot.Name")
	}
	a.n.In["bot"] = id
	a.n.In["botName"] = flow.Lit(name)
	a.ref(flow.RefBot, id, name)
	params := values(a.params.obj("LexSessionAttributes"), "Parameters.LexSessionAttributes")
	for _, key := range []string{"Text", "SSML", "PromptId"} {
		if a.params.has(key) {
			params.Map[strings.ToLower(key[:1])+key[1:]] = a.dyn(key)
		}
	}
	a.n.In["params"] = params
	return approximated
}

// voiceLanguage is the language an Amazon Polly voice speaks ("Available voices"), "" if it is not known.
func voiceLanguage(name string) string {
	for lang, names := range voices {
		for _, n := range names {
			if strings.EqualFold(n, name) {
				return lang
			}
		}
	}
	return ""
}

// voices are Amazon Polly's, by language. It is never changed.
var voices = map[string][]string{
	"arb": {"Zeina"}, "ar-AE": {"Hala", "Zayd"}, "ca-ES": {"Arlet"}, "cmn-CN": {"Zhiyu"}, "yue-CN": {"Hiujin"}, "cs-CZ": {"Jitka"}, "cy-GB": {"Gwyneth"}, "da-DK": {"Mads", "Naja", "Sofie"},
	"de-AT": {"Hannah"}, "de-CH": {"Sabrina"}, "de-DE": {"Daniel", "Hans", "Marlene", "Vicki"}, "en-AU": {"Nicole", "Olivia", "Russell"}, "en-GB": {"Amy", "Arthur", "Brian", "Emma"},
	"en-IE": {"Niamh"}, "en-IN": {"Aditi", "Kajal", "Raveena"}, "en-NZ": {"Aria"}, "en-SG": {"Jasmine"}, "en-ZA": {"Ayanda"},
	"en-US": {"Danielle", "Gregory", "Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kevin", "Kimberly", "Matthew", "Patrick", "Ruth", "Salli", "Stephen"}, "en-GB-WLS": {"Geraint"},
	"es-ES": {"Alba", "Conchita", "Enrique", "Lucia", "Raul", "Sergio"}, "es-MX": {"Andres", "Mia"}, "es-US": {"Lupe", "Miguel", "Pedro", "Penelope"}, "fi-FI": {"Suvi"},
	"fr-BE": {"Isabelle"}, "fr-CA": {"Chantal", "Gabrielle", "Liam"}, "fr-FR": {"Celine", "Lea", "Mathieu", "Remi"}, "is-IS": {"Dora", "Karl"}, "it-IT": {"Adriano", "Bianca", "Carla", "Giorgio"},
	"ja-JP": {"Kazuha", "Mizuki", "Takumi", "Tomoko"}, "ko-KR": {"Jihye", "Seoyeon"}, "nb-NO": {"Ida", "Liv"}, "nl-BE": {"Lisa"}, "nl-NL": {"Laura", "Lotte", "Ruben"},
	"pl-PL": {"Ewa", "Jacek", "Jan", "Maja", "Ola"}, "pt-BR": {"Camila", "Ricardo", "Thiago", "Vitoria"}, "pt-PT": {"Cristiano", "Ines"}, "ro-RO": {"Carmen"}, "ru-RU": {"Maxim", "Tatyana"},
	"sv-SE": {"Astrid", "Elin"}, "tr-TR": {"Burcu", "Filiz"},
}
