package salesforce

import "slices"

// definition is an entity as written down: see parseField for the lines of fields. Id, IsDeleted and the audit fields
// are added to each.
type definition struct {
	name, label, plural, prefix, fields string
	readOnly                            bool
	setup                               bool // of the org's setup: its changes are no events
	event                               bool // a platform event of the platform's own, whose name does not end in __e
}

// definitions lists the entities of the org with the field names, types and lengths of the platform's object reference.
// What ends in __c is custom, as an administrator would add it.
func definitions() []definition {
	return slices.Concat([]definition{
		{name: "Account", label: "Account", plural: "Accounts", prefix: "001", fields: accountFields},
		{name: "Contact", label: "Contact", plural: "Contacts", prefix: "003", fields: contactFields},
		{name: "Case", label: "Case", plural: "Cases", prefix: "500", fields: caseFields},
		{name: "CaseComment", label: "Case Comment", plural: "Case Comments", prefix: "00a", fields: caseCommentFields},
		{name: "Task", label: "Task", plural: "Tasks", prefix: "00T", fields: taskFields},
		{name: whoRelation, label: "Task Who Relation", plural: "Task Who Relations", prefix: "0RT", fields: whoRelationFields, readOnly: true, setup: true},
		{name: "VoiceCall", label: "Voice Call", plural: "Voice Calls", prefix: "0LQ", fields: voiceCallFields},
		{name: "User", label: "User", plural: "Users", prefix: "005", fields: userFields},
		{name: "Profile", label: "Profile", plural: "Profiles", prefix: "00e", fields: profileFields, readOnly: true, setup: true},
		{name: "Organization", label: "Organization", plural: "Organizations", prefix: "00D", fields: organizationFields, readOnly: true, setup: true},
		{name: "Group", label: "Group", plural: "Groups", prefix: "00G", fields: groupFields, setup: true},
		{name: "PushTopic", label: "Push Topic", plural: "Push Topics", prefix: "0IF", fields: pushTopicFields, setup: true},
		{name: "StreamingChannel", label: "Streaming Channel", plural: "Streaming Channels", prefix: "0M6", fields: streamingChannelFields, setup: true},
		{name: "Call_Notice__e", label: "Call Notice", plural: "Call Notices", prefix: "e00", fields: callNoticeFields},
		{name: "RealtimeAlertEvent", label: "Realtime Alert Event", plural: "Realtime Alert Events", prefix: "e01", fields: realtimeAlertFields, event: true},
	}, serviceDefinitions(), metadataDefinitions(), loginDefinitions())
}

const accountFields = `Name string required name
Type picklist {Prospect|Customer_-_Direct|Customer_-_Channel|Partner|Other} label=Account_Type
ParentId reference ->Account/Parent <-ChildAccounts label=Parent_Account_ID
BillingStreet textarea
BillingCity string(40)
BillingState string(80) label=Billing_State/Province
BillingPostalCode string(20) label=Billing_Zip/Postal_Code
BillingCountry string(80)
BillingAddress address
ShippingStreet textarea
ShippingCity string(40)
ShippingState string(80) label=Shipping_State/Province
ShippingPostalCode string(20) label=Shipping_Zip/Postal_Code
ShippingCountry string(80)
ShippingAddress address
Phone phone index label=Account_Phone
Fax phone label=Account_Fax
AccountNumber string(40)
Website url
Industry picklist {Agriculture|Banking|Communications|Consulting|Education|Energy|Finance|Healthcare|Insurance|Manufacturing|Media|Retail|Technology|Transportation|Utilities|Other}
AnnualRevenue currency
NumberOfEmployees int label=Employees
Rating picklist {Hot|Warm|Cold}
Description textarea(32000) long label=Account_Description
OwnerId reference ->User/Owner
Phone_E164__c phone external
Ext__c string external unique label=External_Key`

const contactFields = `AccountId reference ->Account/Account <-Contacts
LastName string(80) required index
FirstName string(40)
Salutation picklist {Mr.|Ms.|Mrs.|Dr.|Prof.}
Name string(121) readonly name label=Full_Name
MailingStreet textarea
MailingCity string(40)
MailingState string(80) label=Mailing_State/Province
MailingPostalCode string(20) label=Mailing_Zip/Postal_Code
MailingCountry string(80)
MailingAddress address
OtherStreet textarea
OtherCity string(40)
OtherState string(80) label=Other_State/Province
OtherPostalCode string(20) label=Other_Zip/Postal_Code
OtherCountry string(80)
OtherAddress address
Phone phone index label=Business_Phone
Fax phone label=Business_Fax
MobilePhone phone index
HomePhone phone index
OtherPhone phone
AssistantPhone phone
ReportsToId reference ->Contact/ReportsTo
Email email index
Title string(128)
Department string(80)
LeadSource picklist {Web|Phone_Inquiry|Partner_Referral|Purchased_List|Other}
Birthdate date
Description textarea(32000) long label=Contact_Description
OwnerId reference ->User/Owner
HasOptedOutOfEmail boolean label=Email_Opt_Out
DoNotCall boolean
Phone_E164__c phone external
Ext__c string external unique label=External_Key`

const caseFields = `CaseNumber string(30) readonly name unique auto
ContactId reference ->Contact/Contact <-Cases
AccountId reference ->Account/Account <-Cases
ParentId reference ->Case/Parent <-Cases label=Parent_Case_ID
SuppliedName string(80) label=Name
SuppliedEmail email label=Email_Address
SuppliedPhone string(40) label=Phone
Type picklist {Problem|Feature_Request|Question} label=Case_Type
Status picklist {New|Working|Escalated|Closed} =New index
Reason picklist {Installation|Equipment_Complexity|Performance|Breakdown|Equipment_Design|Feedback|Other} label=Case_Reason
Origin picklist {Phone|Email|Web} label=Case_Origin
Subject string
Priority picklist {High|Medium|Low} =Medium
Description textarea(32000) long
IsClosed boolean readonly label=Closed
ClosedDate datetime readonly label=Date/Time_Closed
IsEscalated boolean label=Escalated
OwnerId reference ->User,Group/Owner
Comments textarea(4000) writeonly label=Internal_Comments
Ext__c string external unique label=External_Key`

const caseCommentFields = `ParentId reference required createonly ->Case/Parent <-CaseComments label=Parent_ID
IsPublished boolean label=Published
CommentBody textarea(4000) long label=Body
CreatorId reference readonly ->User/Creator
CreatorName string(121) readonly`

const taskFields = `WhoId reference pointing ->Contact/Who <-Tasks label=Name_ID
TaskWhoIds junctionidlist writeonly label=Related_Who_IDs
WhatId reference pointing ->Account,Case/What <-Tasks label=Related_To_ID
Subject string name
ActivityDate date label=Due_Date_Only
Status picklist {Not_Started|In_Progress|Completed|Waiting_on_someone_else|Deferred} =Not_Started
Priority picklist {High|Normal|Low} =Normal
IsHighPriority boolean readonly label=High_Priority
OwnerId reference ->User,Group/Owner
Description textarea(32000) long
Type picklist {Call|Meeting|Other|Email}
IsClosed boolean readonly label=Closed
AccountId reference readonly ->Account/Account
CallDurationInSeconds int label=Call_Duration
CallType picklist {Internal|Inbound|Outbound} restricted
CallDisposition string label=Call_Result
CallObject string label=Call_Object_Identifier
CompletedDateTime datetime readonly
TaskSubtype picklist {Task|Email|ListEmail|Cadence|Call} restricted createonly =Task`

const voiceCallFields = `VendorCallKey string unique
CallType picklist {Inbound|Outbound|Callback|Transfer|Internal|Consult} required
FromPhoneNumber phone(80) index
ToPhoneNumber phone(80) index
CallStartDateTime datetime required
CallAcceptDateTime datetime
CallEndDateTime datetime
CallDurationInSeconds int
CallDisposition picklist {new|in-progress|completed|missed|abandoned}
CallCenterId reference ->CallCenter/CallCenter <-VoiceCalls
UserId reference ->User/User
OwnerId reference ->User,Group/Owner
QueueName string
ConversationId string(18)
RelatedRecordId reference ->Account,Contact,Case/RelatedRecord <-VoiceCalls
PreviousCallId reference ->VoiceCall/PreviousCall
NextCallId reference ->VoiceCall/NextCall
AgentInteractionDurationInSeconds int label=Agent_Interaction_Duration
LongestHoldDurationInSeconds int label=Longest_Hold
NumberOfHolds int
VendorType string`

const userFields = `Username string(80) required unique
LastName string(80) required
FirstName string(40)
Name string(121) readonly name label=Full_Name
CompanyName string(80)
Department string(80)
Title string(80)
Street textarea
City string(40)
State string(80) label=State/Province
PostalCode string(20) label=Zip/Postal_Code
Country string(80)
Address address
Email email(128) required index
Alias string(8) required
CommunityNickname string(40) label=Nickname
IsActive boolean =true label=Active
Phone phone
MobilePhone phone
Extension phone
UserType picklist {Standard|Guest|AutomatedProcess} readonly =Standard
UserRoleId reference ->UserRole/UserRole <-Users
ProfileId reference required ->Profile/Profile <-Users
TimeZoneSidKey picklist required =GMT
LocaleSidKey picklist required =en_US
LanguageLocaleKey picklist required =en_US
EmailEncodingKey picklist required =UTF-8
FederationIdentifier string(512) index
CallCenterId reference ->CallCenter/CallCenter`

const profileFields = `Name string required name
Description textarea
UserType picklist {Standard|Guest} =Standard
PermissionsApiEnabled boolean =true label=API_Enabled`

const organizationFields = `Name string(80) required name
Division string(80)
Phone phone
PrimaryContact string(80)
LanguageLocaleKey picklist =en_US
TimeZoneSidKey picklist =GMT
DefaultLocaleSidKey picklist =en_US
OrganizationType picklist =Developer_Edition
InstanceName string(5)
IsSandbox boolean
NamespacePrefix string(15)
TrialExpirationDate datetime`

const groupFields = `Name string(40) required name
DeveloperName string(80) unique
QueueRoutingConfigId reference ->QueueRoutingConfig/QueueRoutingConfig
RelatedId string(18)
Type picklist {Regular|Queue|Role|Organization} required restricted
Email email
DoesSendEmailToMembers boolean
DoesIncludeBosses boolean`

const pushTopicFields = `Name string(25) required name unique label=Topic_Name
Query textarea(1300) required label=SOQL_Query
ApiVersion double required
NotifyForFields picklist {All|Referenced|Select|Where} restricted =Referenced
NotifyForOperationCreate boolean =true
NotifyForOperationUpdate boolean =true
NotifyForOperationDelete boolean =true
NotifyForOperationUndelete boolean =true
IsActive boolean =true
Description textarea(400)`

// realtimeAlertFields are of the event that tells of alarms of a contact centre (platform events developer guide).
const realtimeAlertFields = `Name string(80) required
Description string(512) required
Source string(80) required
Severity string(16) required
Payload textarea(32768)
EventDateTime datetime`

const streamingChannelFields = `Name string(255) required name unique label=Streaming_Channel_Name
IsDynamic boolean readonly
Description textarea(255)`

// callNoticeFields are of a platform event, there to try events with.
const callNoticeFields = `Message__c string(255)
Phone__c phone
Seconds__c double
At__c datetime
Urgent__c boolean`
