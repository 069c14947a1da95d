package salesforce

// serviceDefinitions lists the entities of routing and presence (Omni-Channel), and those of setup that say who may use
// what. Field names and types follow the platform's object reference; key prefixes it does not state are of this org.
func serviceDefinitions() []definition {
	return []definition{
		{name: "UserRole", label: "Role", plural: "Roles", prefix: "00E", fields: userRoleFields, setup: true},
		{name: "PermissionSet", label: "Permission Set", plural: "Permission Sets", prefix: "0PS", fields: permissionSetFields, setup: true},
		{name: "ObjectPermissions", label: "Object Permissions", plural: "Object Permissions", prefix: "110", fields: objectPermissionFields, setup: true},
		{name: "FieldPermissions", label: "Field Permissions", plural: "Field Permissions", prefix: "01k", fields: fieldPermissionFields, setup: true},
		{name: "RecordType", label: "Record Type", plural: "Record Types", prefix: "012", fields: recordTypeFields, readOnly: true, setup: true},
		{name: "PermissionSetAssignment", label: "Permission Set Assignment", plural: "Permission Set Assignments", prefix: "0Pa", fields: assignmentFields, setup: true},
		{name: "SetupEntityAccess", label: "Setup Entity Access", plural: "Setup Entity Access", prefix: "0J0", fields: setupAccessFields, setup: true},
		{name: "ConnectedApplication", label: "Connected App", plural: "Connected Apps", prefix: "0H4", fields: connectedAppFields, readOnly: true, setup: true},
		{name: "CallCenter", label: "Call Center", plural: "Call Centers", prefix: "04v", fields: callCenterFields, readOnly: true, setup: true},
		{name: "GroupMember", label: "Group Member", plural: "Group Members", prefix: "011", fields: groupMemberFields, setup: true},
		{name: "QueueSobject", label: "Queue Sobject", plural: "Queue Sobjects", prefix: "03g", fields: queueSobjectFields, setup: true},
		{name: "QueueRoutingConfig", label: "Routing Configuration", plural: "Routing Configurations", prefix: "0K9", fields: routingConfigFields, setup: true},
		{name: "ServiceChannel", label: "Service Channel", plural: "Service Channels", prefix: "0N9", fields: serviceChannelFields, readOnly: true, setup: true},
		{name: "ServicePresenceStatus", label: "Presence Status", plural: "Presence Statuses", prefix: "0N5", fields: presenceStatusFields, readOnly: true, setup: true},
		{name: "ServiceChannelStatus", label: "Service Channel Status", plural: "Service Channel Statuses", prefix: "0N6", fields: channelStatusFields, readOnly: true, setup: true},
		{name: "PresenceUserConfig", label: "Presence Configuration", plural: "Presence Configurations", prefix: "0NA", fields: presenceConfigFields, readOnly: true, setup: true},
		{name: "PresenceUserConfigProfile", label: "Presence Configuration Profile", plural: "Presence Configuration Profiles", prefix: "0NB", fields: configProfileFields, readOnly: true, setup: true},
		{name: "PresenceUserConfigUser", label: "Presence Configuration User", plural: "Presence Configuration Users", prefix: "0NC", fields: configUserFields, readOnly: true, setup: true},
		{name: "UserServicePresence", label: "User Service Presence", plural: "User Service Presence", prefix: "0N0", fields: userPresenceFields, readOnly: true},
		{name: "PendingServiceRouting", label: "Pending Service Routing", plural: "Pending Service Routings", prefix: "0JR", fields: pendingRoutingFields},
		{name: "AgentWork", label: "Agent Work", plural: "Agent Work", prefix: "0Bz", fields: agentWorkFields},
	}
}

const userRoleFields = `Name string(80) required name
ParentRoleId reference ->UserRole/ParentRole
DeveloperName string(80) required unique
RollupDescription string(80)
OpportunityAccessForAccountOwner picklist {None|Read|Edit} restricted =Edit
CaseAccessForAccountOwner picklist {None|Read|Edit} restricted =None
ContactAccessForAccountOwner picklist {None|Read|Edit} restricted =None`

const permissionSetFields = `Name string(80) required name unique
Label string(80) required index
Description string(255)
ProfileId reference readonly ->Profile/Profile
IsOwnedByProfile boolean readonly
IsCustom boolean readonly =true
Type picklist {Profile|Regular|Standard|Session|Group} restricted createonly =Regular
NamespacePrefix string(15)
PermissionsApiEnabled boolean label=API_Enabled
PermissionsViewSetup boolean label=View_Setup_and_Configuration
PermissionsManageUsers boolean label=Manage_Users
PermissionsViewAllData boolean label=View_All_Data
PermissionsModifyAllData boolean label=Modify_All_Data
PermissionsBulkApiHardDelete boolean label=Bulk_API_Hard_Delete
PermissionsManageDataIntegrations boolean label=Manage_Data_Integrations
PermissionsViewDeveloperName boolean label=View_DeveloperName`

// The grants of a permission set, or of a profile by the permission set it owns.
const objectPermissionFields = `ParentId reference required createonly ->PermissionSet/Parent <-ObjectPerms
SobjectType picklist(40) required createonly index
PermissionsCreate boolean label=Create_Records
PermissionsRead boolean label=Read_Records
PermissionsEdit boolean label=Edit_Records
PermissionsDelete boolean label=Delete_Records
PermissionsViewAllRecords boolean label=Read_All_Records
PermissionsModifyAllRecords boolean label=Edit_All_Records`

const fieldPermissionFields = `ParentId reference required createonly ->PermissionSet/Parent <-FieldPerms
SobjectType picklist(40) required createonly index
Field picklist(85) required createonly
PermissionsEdit boolean label=Edit_Field
PermissionsRead boolean label=Read_Field`

const recordTypeFields = `Name string(80) required name
DeveloperName string(80) required
NamespacePrefix string(15)
Description string(255)
BusinessProcessId string(18)
SobjectType picklist(40) required
IsActive boolean`

const assignmentFields = `PermissionSetId reference required createonly ->PermissionSet/PermissionSet <-Assignments
AssigneeId reference required createonly ->User/Assignee <-PermissionSetAssignments
IsActive boolean readonly =true
ExpirationDate datetime`

const setupAccessFields = `ParentId reference required createonly ->PermissionSet/Parent <-SetupEntityAccessItems
SetupEntityId reference required createonly ->ServicePresenceStatus,ConnectedApplication/SetupEntity
SetupEntityType picklist {ApexClass|ApexPage|ConnectedApplication|CustomPermission|ServicePresenceStatus|TabSet} readonly restricted`

const connectedAppFields = `Name string(80) required name
OptionsAllowAdminApprovedUsersOnly boolean
OptionsRefreshTokenValidityMetric boolean
OptionsHasSessionLevelPolicy boolean
RefreshTokenValidityPeriod int
StartUrl url
MobileStartUrl url
PinLength picklist {4|5|6|7|8}`

const callCenterFields = `Name string(80) required name
InternalName string(80) required unique
Version double
AdapterUrl textarea(2000)
CustomSettings textarea(32000) long`

const groupMemberFields = `GroupId reference required createonly ->Group/Group <-GroupMembers
UserOrGroupId reference required createonly ->User,Group/UserOrGroup`

const queueSobjectFields = `QueueId reference required createonly ->Group/Queue <-QueueSobjects
SobjectType picklist {Case|Contact|Task|VoiceCall|MessagingSession|Lead|Order} required restricted createonly`

const routingConfigFields = `DeveloperName string(80) required unique name
Language picklist {en_US|de|es|fr|it|ja|nl_NL|pt_BR} restricted =en_US
MasterLabel string(80) required
RoutingModel picklist {LeastActive|MostAvailable|ExternalRouting} required restricted
RoutingPriority int required
CapacityWeight double
CapacityPercentage double
PushTimeout int
IsAttributeBased boolean
OverflowAssigneeId reference ->User,Group/OverflowAssignee`

const serviceChannelFields = `DeveloperName string(80) required unique name
Language picklist {en_US|de|es|fr|it|ja|nl_NL|pt_BR} restricted =en_US
MasterLabel string(80) required
RelatedEntity picklist {Case|Contact|Lead|MessagingSession|Order|SocialPost|Task|VoiceCall} required restricted
InterfaceComponent string(18)
SecondaryRoutingPriorityField string(18)
CapacityModel picklist {TabBased|StatusBased} restricted =TabBased
IsInterruptible boolean
DoesMinimizeWidgetOnAccept boolean
HasAutoAcceptEnabled boolean
HasAfterConvoWorkTimer boolean
AfterConvoWorkMaxTime int
AcwExtensionDuration int
MaxExtensions int
DoesStoreVoicemailTranscript boolean`

const presenceStatusFields = `DeveloperName string(80) required unique name
Language picklist {en_US|de|es|fr|it|ja|nl_NL|pt_BR} restricted =en_US
MasterLabel string(80) required index`

const channelStatusFields = `ServiceChannelId reference required ->ServiceChannel/ServiceChannel <-ServiceChannelStatuses
ServicePresenceStatusId reference required ->ServicePresenceStatus/ServicePresenceStatus <-ServiceChannelStatuses`

const presenceConfigFields = `DeveloperName string(80) required unique name
Language picklist {en_US|de|es|fr|it|ja|nl_NL|pt_BR} restricted =en_US
MasterLabel string(80) required
Capacity double required
InterruptCapacity double
PresenceStatusOnDeclineId reference ->ServicePresenceStatus/PresenceStatusOnDecline
PresenceStatusOnPushTimeoutId reference ->ServicePresenceStatus/PresenceStatusOnPushTimeout
AfterConvoWorkMaxTime int
AcwExtensionDuration int
MaxExtensions int
OptionsIsAutoAcceptEnabled boolean
OptionsIsDeclineEnabled boolean
OptionsIsDeclineReasonEnabled boolean
OptionsIsDisconnectSoundEnabled boolean
OptionsIsRequestSoundEnabled boolean
OptionsIsTimeoutEnabled boolean
OptionsHasAfterConvoWorkTimer boolean label=Has_After_Conversation_Work_Timer
HasAfterConvoWorkTimer boolean
OptionsIsAcwExtensible boolean`

const configProfileFields = `PresenceUserConfigId reference required ->PresenceUserConfig/PresenceUserConfig <-PresenceUserConfigProfiles
ProfileId reference required ->Profile/Profile`

const configUserFields = `PresenceUserConfigId reference required ->PresenceUserConfig/PresenceUserConfig <-PresenceUserConfigUsers
UserId reference required ->User/User`

const userPresenceFields = `Name string readonly name auto
OwnerId reference ->User,Group/Owner
UserId reference ->User/User <-UserServicePresences
ServicePresenceStatusId reference ->ServicePresenceStatus/ServicePresenceStatus <-UserServicePresences
IsCurrentState boolean
IsAway boolean
StatusStartDate datetime
StatusEndDate datetime
StatusDuration int
IdleDuration int
AtCapacityDuration int
AverageCapacity double
ConfiguredCapacity double
ConfiguredInterruptCapacity double`

const pendingRoutingFields = `Name string readonly name auto
OwnerId reference ->User,Group/Owner
WorkItemId reference required ->Case,Contact,Task,VoiceCall/WorkItem <-PendingServiceRoutings
ServiceChannelId reference required ->ServiceChannel/ServiceChannel
GroupId reference ->Group/Group
QueueId reference ->Group/Queue
RoutingType picklist {QueueBased|SkillsBased|Direct} restricted =QueueBased
RoutingModel picklist {LeastActive|MostAvailable|ExternalRouting} restricted =LeastActive
RoutingPriority int
SecondaryRoutingPriority int
CapacityWeight double
CapacityPercentage double
CapacityModel picklist {TabBased|StatusBased} restricted =TabBased
PushTimeout int
IsPushAttempted boolean readonly
IsPushed boolean readonly
IsReadyForRouting boolean
IsTransfer boolean
IsPreferredUserRequired boolean
PreferredUserId reference ->User/PreferredUser
LastDeclinedAgentSession string(36)
DropAdditionalSkillsTimeout int
SkillBasedRoutingPriority int
CustomRequestedDateTime datetime`

const agentWorkFields = `Name string readonly name auto
OwnerId reference ->User,Group/Owner
UserId reference required createonly ->User/User <-AgentWorks
WorkItemId reference required createonly ->Case,Contact,Task,VoiceCall/WorkItem <-AgentWorks
ServiceChannelId reference required createonly ->ServiceChannel/ServiceChannel
Status picklist {Assigned|Opened|Unavailable|Declined|DeclinedOnPushTimeout|Closed|Canceled|Transferred} restricted =Assigned index
CapacityWeight double
CapacityPercentage double
CapacityModel picklist {TabBased|StatusBased} restricted =TabBased
RoutingModel picklist {LeastActive|MostAvailable|ExternalRouting} restricted
RoutingPriority int
RoutingType picklist {QueueBased|SkillsBased|Direct} restricted =QueueBased
OriginalGroupId reference ->Group/OriginalGroup
OriginalQueueId reference ->Group/OriginalQueue
PendingServiceRoutingId reference ->PendingServiceRouting/PendingServiceRouting
PreviousAgentWorkId string(18)
PushTimeout int
PushTimeoutDateTime datetime
RequestDateTime datetime
AssignedDateTime datetime
AcceptDateTime datetime
DeclineDateTime datetime
CancelDateTime datetime
CloseDateTime datetime
AfterConversationActualTime int
SpeedToAnswer int
HandleTime int
ActiveTime int
AgentCapacityWhenDeclined double
DeclineReason string(255)
ShouldSkipCapacityCheck boolean
IsOwnerChangeInitiated boolean
IsStatusChangeInitiated boolean
IsTransfer boolean`
