/* Administration of topics. On the worker: everything here waits for the disk. */
#include "kafka/topics.h"

int topic_create_default(struct kafka *k, struct view name, struct err *err)
{
	struct err why = ERR_INIT;
	char text[LOG_TOPIC_NAME_MAX + 1];

	if (name.len > LOG_TOPIC_NAME_MAX)
		return err_set(err, ERR_INVALID, "topic name of %zu characters", name.len);
	memcpy(text, name.ptr, name.len);
	text[name.len] = '\0';
	if (log_topic_create(k->log, text, NULL, k->o.partitions, NULL, 0, NULL, &why) && why.code != ERR_EXISTS) {
		*err = why;
		return -1;
	}
	return 0;
}
