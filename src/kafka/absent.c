/*
 * What tools ask a broker for, and what there is nothing of here: access rules, quotas, credentials, transactions, elections,
 * reassignments. The answers are those of a single Apache Kafka that has none either. The thread `kafka`.
 */
#include "kafka/kafka_int.h"

void serve_list_partition_reassignments(struct request *rq)
{
	request_answer(rq);
}

/* ---- access rules ---- */

static const char no_authorizer[] = "there is no authorization";

void serve_describe_acls(struct request *rq)
{
	struct describe_acls_response *out = rq->out;

	out->error = KE_SECURITY_DISABLED;
	out->error_message = view_str(no_authorizer);
	request_answer(rq);
}

void serve_create_acls(struct request *rq)
{
	const struct create_acls_request *in = rq->in;
	struct create_acls_response *out = rq->out;
	int32_t i;

	out->results = REQUEST_ARRAY(rq, in->n_creations, struct create_acls_response_result);
	out->n_results = in->n_creations;
	for (i = 0; i < in->n_creations; i++)
		out->results[i] = (struct create_acls_response_result){KE_SECURITY_DISABLED, view_str(no_authorizer)};
	request_answer(rq);
}

void serve_delete_acls(struct request *rq)
{
	const struct delete_acls_request *in = rq->in;
	struct delete_acls_response *out = rq->out;
	int32_t i;

	out->results = REQUEST_ARRAY(rq, in->n_filters, struct delete_acls_response_result);
	out->n_results = in->n_filters;
	for (i = 0; i < in->n_filters; i++)
		out->results[i] = (struct delete_acls_response_result){.error = KE_SECURITY_DISABLED, .error_message = view_str(no_authorizer)};
	request_answer(rq);
}

/* ---- quotas and credentials ---- */

void serve_describe_client_quotas(struct request *rq)
{
	request_answer(rq);
}

void serve_describe_user_scram_credentials(struct request *rq)
{
	const struct describe_user_scram_credentials_request *in = rq->in;
	struct describe_user_scram_credentials_response *out = rq->out;
	int32_t i;

	out->results = REQUEST_ARRAY(rq, in->n_users, struct describe_user_scram_credentials_response_result);
	for (i = 0; i < in->n_users; i++)
		out->results[out->n_results++] = (struct describe_user_scram_credentials_response_result){
			.user = in->users[i].name, .error = KE_RESOURCE_NOT_FOUND, .error_message = view_str("there are no credentials")};
	request_answer(rq);
}

/* ---- transactions ---- */

void serve_describe_transactions(struct request *rq)
{
	const struct describe_transactions_request *in = rq->in;
	struct describe_transactions_response *out = rq->out;
	int32_t i;

	out->transactions = REQUEST_ARRAY(rq, in->n_transactional_ids, struct describe_transactions_response_transaction);
	out->n_transactions = in->n_transactional_ids;
	for (i = 0; i < in->n_transactional_ids; i++)
		out->transactions[i] = (struct describe_transactions_response_transaction){.transactional_id = in->transactional_ids[i],
			.error = in->transactional_ids[i].len ? KE_TRANSACTIONAL_ID_NOT_FOUND : KE_INVALID_REQUEST};
	request_answer(rq);
}

void serve_list_transactions(struct request *rq)
{
	static const char *const states[] = {"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead",
		"PrepareEpochFence"};
	enum { STATES = sizeof(states) / sizeof(states[0]) };
	const struct list_transactions_request *in = rq->in;
	struct list_transactions_response *out = rq->out;
	unsigned j;
	int32_t i;

	out->unknown_states = REQUEST_ARRAY(rq, in->n_states, struct view);
	for (i = 0; i < in->n_states; i++) {
		for (j = 0; j < STATES && !view_is(in->states[i], states[j]); j++)
			;
		if (j == STATES)
			out->unknown_states[out->n_unknown_states++] = in->states[i];
	}
	request_answer(rq);
}

/* ---- elections ---- */

enum { ELECTION_UNCLEAN = 1 }; /* 0: of the preferred one */

static void elect(struct request *rq, const struct elect_leaders_request_topic *from, struct elect_leaders_response_topic *to)
{
	const struct elect_leaders_request *in = rq->in;
	uint32_t part;
	int32_t i;

	to->name = from->name;
	to->partitions = REQUEST_ARRAY(rq, from->n_partitions, struct elect_leaders_response_topic_partition);
	to->n_partitions = from->n_partitions;
	for (i = 0; i < from->n_partitions; i++) {
		struct elect_leaders_response_topic_partition *p = &to->partitions[i];

		p->index = from->partitions[i];
		if (in->election_type < 0 || in->election_type > ELECTION_UNCLEAN)
			*p = (struct elect_leaders_response_topic_partition){p->index, KE_INVALID_REQUEST, view_str("unknown type of election")};
		else if (topic_partition(rq->k, from->name, p->index, &part))
			*p = (struct elect_leaders_response_topic_partition){
				p->index, KE_UNKNOWN_TOPIC_OR_PARTITION, view_str("there is no such partition")};
		else
			*p = (struct elect_leaders_response_topic_partition){
				p->index, KE_ELECTION_NOT_NEEDED, view_str("Leader election not needed for topic partition.")};
	}
}

/* This node leads every partition already. Null stands for all of them, of which those that need an election are told: none. */
void serve_elect_leaders(struct request *rq)
{
	const struct elect_leaders_request *in = rq->in;
	struct elect_leaders_response *out = rq->out;
	int32_t i;

	if (in->election_type < 0 || in->election_type > ELECTION_UNCLEAN)
		out->error = KE_INVALID_REQUEST;
	out->topics = REQUEST_ARRAY(rq, in->n_topics, struct elect_leaders_response_topic);
	for (i = 0; i < in->n_topics; i++)
		elect(rq, &in->topics[i], &out->topics[out->n_topics++]);
	request_answer(rq);
}
